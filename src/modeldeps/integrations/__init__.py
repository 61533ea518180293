"""Glue between modeldeps and the tools that host it; the work is done in the layers below."""
