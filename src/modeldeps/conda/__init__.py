"""What modeldeps does inside conda; the hooks themselves are in `modeldeps.integrations.conda`."""
