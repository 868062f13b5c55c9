"""Trace of the values that a model computes on one backend, saved without pickle."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ae_multi.errors import InputError
from ae_multi.io import json as safe_json
from ae_multi.io import npz
from ae_multi.io.atomic import atomic_write

FORMAT = 1


@dataclass(frozen=True)
class Trace:
    """Values of one model that one process records.

    Attributes:
        about: backend, device, versions, precision, and digests of model and data.
        stages: dict of stage (a key of `ae_multi.parity.stages.STAGES`) to a list of entries. An
            entry is a dict with ``name``, ``layer`` (class of the layer, or ""), ``terms``
            (number of terms that each value is a sum of) and ``values`` (an array). Entries may
            have further items, which docs/parity.md describes.
    """

    about: dict[str, Any]
    stages: dict[str, list[dict[str, Any]]]

    @property
    def name(self) -> str | None:
        """Name of the trace in a comparison: that of its environment or file, or its backend."""
        return self.about.get("name", self.about.get("backend"))

    @property
    def perturbation(self) -> float:
        """Size of the perturbation in units of float32 rounding; 1 if it is not recorded."""
        return self.about.get("perturbation", 1)

    def values(self, stage: str) -> list[np.ndarray]:
        """Return the arrays of one stage, in order."""
        return [entry["values"] for entry in self.stages[stage]]

    def save(self, path: os.PathLike[str] | str) -> None:
        """Write the trace atomically to an .npz file."""
        arrays: dict[str, np.ndarray] = {}
        entries = pack_stages(self.stages, arrays)
        head = {"format": FORMAT, "about": self.about, "stages": entries}
        arrays["head"] = np.frombuffer(json.dumps(head).encode(), np.uint8)
        with atomic_write(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: os.PathLike[str] | str) -> Self:
        """Read a trace.

        Raises:
            InputError: there is no such file, or it is not a trace, has another format or is
                damaged.
        """
        with npz.opened(path, "the trace") as arrays:
            content = arrays.read("head", kinds="u").tobytes()
            head = safe_json.parse(content, f"the head of {path}")
            if not isinstance(head, dict) or head.get("format") != FORMAT:
                stated = head.get("format") if isinstance(head, dict) else None
                raise InputError(
                    f"Expected a trace of format {FORMAT}. Received: {path} of format "
                    f"{stated!r:.80}."
                )
            about: Any = head.get("about")
            stages: Any = head.get("stages")
            if not isinstance(about, dict) or not are_stages(stages):
                raise InputError(
                    "Expected a trace whose head describes its stages. Received: "
                    f"{path}, whose head does not. Record the trace again."
                )
            read = unpack_stages(stages, arrays)
        return cls(about, read)


# Keys of an entry, and the types of their values in the head of a file.
_ENTRY = {"name": str, "layer": str, "terms": int | float, "values": str}
_OPTIONAL = {
    "each": bool,
    "moved": int | float | None,
    "scale": int | float | None,
    "sha256": str,
    "shape": list,
    "step": int | float | None,
    "summation": int | float | None,
}


def pack_stages(
    stages: Mapping[str, Sequence[Mapping[str, Any]]], arrays: dict[str, np.ndarray]
) -> dict[str, list[dict[str, Any]]]:
    """Move the values of all entries to ``arrays``; return the stages with the arrays' names."""
    packed: dict[str, list[dict[str, Any]]] = {}
    for stage, entries in stages.items():
        packed[stage] = []
        for entry in entries:
            key = f"a{len(arrays)}"
            arrays[key] = entry["values"]
            packed[stage].append({**entry, "values": key})
    return packed


def unpack_stages(
    stages: Mapping[str, Sequence[Mapping[str, Any]]], arrays: npz.Arrays
) -> dict[str, list[dict[str, Any]]]:
    """Return stages from `pack_stages` with the arrays of an .npz file as their values."""
    return {
        stage: [{**entry, "values": arrays.read(entry["values"])} for entry in entries]
        for stage, entries in stages.items()
    }


def are_stages(stages: Any) -> bool:
    """Return whether a value from a file has the structure of the result of `pack_stages`."""
    return isinstance(stages, dict) and all(
        isinstance(entries, list) and all(map(_is_entry, entries)) for entries in stages.values()
    )


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and all(isinstance(entry.get(key), kind) for key, kind in _ENTRY.items())
        and all(isinstance(entry[key], kind) for key, kind in _OPTIONAL.items() if key in entry)
    )
