"""File of one backend's trace, with or without the float64 reference, for a later comparison.

The file is a zip archive of NumPy arrays without pickle. `docs/parity.md` describes its content.
"""

import json
import math
import os
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ae_multi.errors import InputError
from ae_multi.io import json as safe_json
from ae_multi.io import npz
from ae_multi.io.atomic import atomic_write
from ae_multi.parity.trace import Trace, are_stages, pack_stages, unpack_stages

FORMAT = 1
_WHAT = "ae_multi parity trace"
# Required keys of ``about``, and their types.
_ABOUT = {"backend": str, "model": str, "data": str, "seed": int, "steps": int, "batch_size": int}


@dataclass(frozen=True)
class TraceFile:
    """A recorded trace.

    Attributes:
        model: reference to the model that was recorded, for reports.
        trace: float32 trace, reduced by `ae_multi.parity.sampling`.
        reference: float64 trace, reduced in the same way, or None.
    """

    model: str
    trace: Trace
    reference: Trace | None

    def save(self, path: os.PathLike[str] | str) -> None:
        """Write the file atomically."""
        arrays: dict[str, np.ndarray] = {}
        head: dict[str, Any] = {"what": _WHAT, "format": FORMAT, "model": self.model}
        for part, trace in (("trace", self.trace), ("reference", self.reference)):
            head[part] = trace and {
                "about": trace.about,
                "stages": pack_stages(_finite(trace.stages), arrays),
            }
        arrays["head"] = np.frombuffer(json.dumps(head, allow_nan=False).encode(), np.uint8)
        with atomic_write(path) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: os.PathLike[str] | str) -> Self:
        """Read a file.

        Raises:
            InputError: there is no such file, or it is not a trace file, has another format or is
                damaged.
        """
        with npz.opened(path, "the trace file") as arrays:
            content = arrays.read("head", kinds="u").tobytes()
            head = safe_json.parse(content, f"the head of {path}")
            if not isinstance(head, dict) or head.get("what") != _WHAT:
                raise InputError(
                    "Expected a file of `ae-multi parity record`. "
                    f"Received: {path}, which is another archive."
                )
            if head.get("format") != FORMAT:
                raise InputError(
                    f"Expected a trace file of format {FORMAT}. Received: {path} of format "
                    f"{head.get('format')!r:.80}."
                )
            parts = [head.get("trace"), head.get("reference")]
            if not isinstance(head.get("model"), str) or not _is_trace(parts[0]):
                raise _damaged(path)
            if parts[1] is not None and not _is_trace(parts[1]):
                raise _damaged(path)
            trace, reference = (
                None if part is None else Trace(part["about"], _read(part["stages"], arrays))
                for part in parts
            )
        assert trace is not None
        return cls(head["model"], trace, reference)


def _is_trace(part: Any) -> bool:
    """Return whether a part of the head describes a trace."""
    if not isinstance(part, dict) or not isinstance(about := part.get("about"), dict):
        return False
    if not all(type(about.get(key)) is kind for key, kind in _ABOUT.items()):
        return False
    not_comparable = about.get("not_comparable")
    return (
        isinstance(not_comparable, list)
        and all(isinstance(name, str) for name in not_comparable)
        and are_stages(part.get("stages"))
    )


def _finite(stages: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Return stages with None, which JSON supports, in place of infinity and NaN."""

    def plain(value: Any) -> Any:
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return {
        stage: [{key: plain(value) for key, value in entry.items()} for entry in entries]
        for stage, entries in stages.items()
    }


def _read(stages: Any, arrays: npz.Arrays) -> dict[str, list[dict[str, Any]]]:
    """Return the stages of a file with their arrays, and infinity in place of None."""
    return {
        stage: [
            {key: math.inf if value is None else value for key, value in entry.items()}
            for entry in entries
        ]
        for stage, entries in unpack_stages(stages, arrays).items()
    }


def _damaged(path: object) -> InputError:
    """Return the error for a file whose head does not describe traces."""
    return InputError(
        f"Expected a trace file whose head describes its traces. Received: {path}, whose head "
        "does not. Record the trace again."
    )
