"""A trace: what one backend computed, step by step, in a file without pickle."""

import json
from dataclasses import dataclass

import numpy as np

from ae_multi.errors import InputError
from ae_multi.io import json as safe_json
from ae_multi.io import npz
from ae_multi.io.atomic import atomic_write

FORMAT = 1


@dataclass(frozen=True)
class Trace:
    """What one process recorded.

    Attributes:
        about: backend, device, versions, precision, and digests of model and data.
        stages: dict of stage (a key of `ae_multi.parity.stages.STAGES`) to a list of entries; an
            entry is a dict with ``name``, ``layer`` (its class; empty where there is none),
            ``terms`` (how many terms each value is a sum of) and ``values``, an array.
    """

    about: dict
    stages: dict

    def values(self, stage):
        """The arrays of one stage, in order."""
        return [entry["values"] for entry in self.stages[stage]]

    def save(self, path):
        """Write the trace, whole or not at all."""
        arrays, entries = {}, {}
        for stage, items in self.stages.items():
            entries[stage] = []
            for item in items:
                key = f"a{len(arrays)}"
                arrays[key] = item["values"]
                entries[stage].append({**item, "values": key})
        head = {"format": FORMAT, "about": self.about, "stages": entries}
        arrays["head"] = np.frombuffer(json.dumps(head).encode(), np.uint8)
        with atomic_write(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, path):
        """Read a trace.

        Raises:
            InputError: a file that is no trace, of another format, or cut short.
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
            about, stages = head.get("about"), head.get("stages")
            if not isinstance(about, dict) or not _are_stages(stages):
                raise InputError(
                    f"Expected a trace, stages of named arrays. Received: {path}, whose head tells "
                    "of something else."
                )
            read = {
                stage: [{**entry, "values": arrays.read(entry["values"])} for entry in entries]
                for stage, entries in stages.items()
            }
        return cls(about, read)


_ENTRY = {"name": str, "layer": str, "terms": int | float, "values": str}


def _are_stages(stages):
    return isinstance(stages, dict) and all(
        isinstance(entries, list) and all(map(_is_entry, entries)) for entries in stages.values()
    )


def _is_entry(entry):
    return isinstance(entry, dict) and all(
        isinstance(entry.get(key), kind) for key, kind in _ENTRY.items()
    )
