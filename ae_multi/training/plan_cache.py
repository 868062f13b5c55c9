"""What was measured of plans, kept between trainings in one small file."""

import contextlib
import json
import math

from ae_multi.errors import InputError
from ae_multi.io import json as safe_json
from ae_multi.io.atomic import atomic_write
from ae_multi.selection import package_cache

_here = {}


def recall(key):
    """What was remembered under ``key``, or an empty dict."""
    if key not in _here:
        found = _read().get(key)
        if _is_sound(found):
            _here[key] = found
    return _here.get(key, {})


def remember(key, facts):
    """Keep plain values under ``key``; where nothing can be written, for this process alone."""
    if _here.get(key) == facts:
        return
    _here[key] = facts
    path = cache_path()
    if path is None:
        return
    with contextlib.suppress(OSError, InputError):
        path.parent.mkdir(parents=True, exist_ok=True)
        known = {**_read(), key: facts}
        with atomic_write(path) as temporary:
            temporary.write_text(json.dumps(known))


def cache_path():
    """The file, or None where no folder is known for it."""
    folder = package_cache()
    return folder and folder / "plans.json"


def _read():
    path = cache_path()
    if path is None:
        return {}
    try:
        known = safe_json.read(path, "what was measured of plans")
    except (OSError, InputError):
        return {}
    return known if isinstance(known, dict) else {}


def _is_sound(facts):
    """Whether ``facts`` are what `remember` keeps: anybody may have written the file."""
    if not isinstance(facts, dict):
        return False
    times = [facts.get(name, {}) for name in ("step", "build")]
    failed = facts.get("failed", [])
    return (
        all(isinstance(part, dict) for part in times)
        and all(_is_time(value) for part in times for value in part.values())
        and set(times[0]) <= set(times[1])
        and isinstance(failed, list)
        and all(isinstance(name, str) for name in failed)
    )


def _is_time(value):
    return isinstance(value, int | float) and 0 <= value < math.inf
