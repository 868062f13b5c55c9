"""Tables in MATLAB's files, as the ODDS library has them: rows X and marks y."""

import io
import math
from pathlib import Path

import numpy as np
from scipy.io import loadmat, whosmat

from ae_multi.errors import InputError
from ae_multi.files import check_file

# What may be unpacked: so many numbers from however few bytes, or so many times what they are.
_SMALL, _RATIO = 1 << 22, 100


def read_mat(path):
    """Read rows of numbers, float64 (n, features), and 1 for outliers among them, integers (n,).

    Raises:
        InputError: no MATLAB file of version 5 with X and y.
    """
    check_file(path, "the table")
    content = Path(
        path
    ).read_bytes()  # SciPy takes memory for what a file says, of bytes for what is
    try:
        stated = {name: shape for name, shape, _ in whosmat(io.BytesIO(content))}
        size = sum(math.prod(stated[name]) for name in ("X", "y"))
        if size > max(_SMALL, _RATIO * len(content)):
            raise InputError(f"{size:,} values in {len(content):,} bytes")
        held = loadmat(io.BytesIO(content), variable_names=("X", "y"))
        rows, marks = held["X"].astype(float), held["y"].ravel().astype(int)
        if rows.ndim != 2 or marks.shape != rows.shape[:1] or not np.isfinite(rows).all():
            raise InputError(f"X of shape {rows.shape} and y of shape {held['y'].shape}")
    except Exception as error:  # SciPy lets through whatever its reader stumbles over
        raise InputError(
            f"Expected a MATLAB file of finite numbers X and marks y. Received: {path} "
            f"({type(error).__name__}: {error!s:.200})."
        ) from error
    return rows, marks
