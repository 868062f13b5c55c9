"""Writing of results as JSON files."""

import json
import math
import os
from typing import Any

from ae_multi.io.atomic import atomic_write


def write_json(path: os.PathLike[str] | str, value: Any) -> None:
    """Write a value as strict JSON, atomically.

    Args:
        path: the file to write.
        value: nested dicts, lists and tuples of strings, numbers, booleans and None. NaN and
            infinity are written as null.
    """
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(_finite(value), indent=2, allow_nan=False) + "\n")


def _finite(value):
    """Return a value with None in place of NaN and infinity, at any depth."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
