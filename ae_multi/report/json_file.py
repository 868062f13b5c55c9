"""Results for programs."""

import json
import math

from ae_multi.io.atomic import atomic_write


def write_json(path, value):
    """Write plain values as strict JSON, whole or not at all; NaN and infinity become null."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(_finite(value), indent=2, allow_nan=False) + "\n")


def _finite(value):
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
