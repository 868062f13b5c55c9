"""Cache of the measured times of plans, in one small JSON file."""

import contextlib
import json
import math
from pathlib import Path
from typing import Any

from ae_multi.backend_selection import package_cache
from ae_multi.errors import InputError
from ae_multi.io import json as safe_json
from ae_multi.io.atomic import atomic_write

# The entries that this process has read or written.
_here: dict[str, dict] = {}


def recall(key: str) -> dict[str, Any]:
    """Return the entry of ``key`` as `remember` stores it, or an empty dict if there is none."""
    if key not in _here:
        entry: Any = _read().get(key)
        if _is_sound(entry):
            _here[key] = entry
    return _here.get(key, {})


def remember(key: str, facts: dict[str, Any]) -> None:
    """Store an entry in the file, or only for this process if the file cannot be written.

    Args:
        key: name of the entry.
        facts: dict of "step" and "build", each plan name to seconds, and "failed", a list of plan
            names.
    """
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


def cache_path() -> Path | None:
    """Return the path of the file, or None if there is no cache folder."""
    folder = package_cache()
    return folder and folder / "plans.json"


def _read() -> dict[str, Any]:
    path = cache_path()
    if path is None:
        return {}
    try:
        known = safe_json.read(path, "the measured times of plans")
    except (OSError, InputError):
        return {}
    return known if isinstance(known, dict) else {}


def _is_sound(facts: Any) -> bool:
    """Return whether ``facts`` have the form that `remember` stores; the file is not trusted."""
    if not isinstance(facts, dict):
        return False
    times = [facts.get(name, {}) for name in ("step", "build")]
    failed = facts.get("failed", [])
    return (
        all(isinstance(seconds, dict) for seconds in times)
        and all(_is_time(value) for seconds in times for value in seconds.values())
        and set(times[0]) <= set(times[1])
        and isinstance(failed, list)
        and all(isinstance(name, str) for name in failed)
    )


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value < math.inf
