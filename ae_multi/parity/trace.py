"""A trace: what one backend computed, step by step, in a file without pickle."""

import json
import zipfile
from dataclasses import dataclass

import numpy as np

from ae_multi.errors import InputError
from ae_multi.files import written_whole

FORMAT = 1


@dataclass(frozen=True)
class Trace:
    """What one process recorded.

    Attributes:
        about: backend, device, versions, precision, and digests of model and data.
        stages: dict of stage (a key of `ae_multi.parity.ladder.RUNGS`) to a list of entries; an
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
        with written_whole(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **arrays)

    @classmethod
    def load(cls, path):
        """Read a trace.

        Raises:
            InputError: a file that is no trace, of another format, or cut short.
        """
        try:
            with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
                head = json.loads(file["head"].tobytes())
                if head["format"] != FORMAT:
                    raise InputError(
                        f"Expected a trace of format {FORMAT}. Received: {path} of format "
                        f"{head['format']}."
                    )
                stages = {
                    stage: [{**entry, "values": file[entry["values"]]} for entry in entries]
                    for stage, entries in head["stages"].items()
                }
        except InputError:
            raise
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise InputError(
                f"Expected a whole trace. Received: {path}, which is damaged, cut short or no "
                f"trace ({type(error).__name__}: {error})."
            ) from error
        return cls(head["about"], stages)
