"""One number that stands for many arrays."""

import hashlib

import numpy as np


def sha256(arrays):
    """SHA-256 over types, shapes and bytes: equal if and only if the arrays are."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        whole = np.ascontiguousarray(array)
        # The numbers of `ml_dtypes`, bfloat16 among them, have no buffer.
        digest.update(whole.tobytes() if whole.dtype.kind == "V" else whole.data)
    return digest.hexdigest()
