"""Arrays of golden examples, as npz files that come out the same every time."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The first moment that a zip archive can name."""

REGULAR = 0o100644 << 16
"""Mode of a plain file, where a zip archive keeps it."""


def npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """
    Return an npz archive: sorted names, one fixed date, no compression, no pickle (NEP 1).

    Raises ValueError for an array of Python objects.
    """
    import numpy as np

    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            stream = io.BytesIO()
            np.lib.format.write_array(stream, np.asarray(arrays[name]), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", EPOCH)
            info.create_system, info.external_attr = 3, REGULAR
            archive.writestr(info, stream.getvalue())
    return target.getvalue()
