"""Digest of arrays."""

import hashlib
from collections.abc import Iterable

import numpy as np


def sha256(arrays: Iterable[np.ndarray]) -> str:
    """Return the SHA-256 of the dtypes, shapes and bytes of arrays, in hexadecimal.

    Equal if and only if the arrays are equal, in their order.
    """
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        contiguous = np.ascontiguousarray(array)
        # The dtypes of `ml_dtypes`, such as bfloat16, do not support the buffer protocol.
        digest.update(contiguous.tobytes() if contiguous.dtype.kind == "V" else contiguous.data)
    return digest.hexdigest()
