"""A checkpoint as it is read: whether it is one, before anything is done with it."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ae_multi.checkpoints import Position
from ae_multi.errors import InputError
from ae_multi.io.serialization import PartsReader


class Checkpoint(NamedTuple):
    """A checkpoint of a training.

    Attributes:
        path: its file.
        position: how far the training was.
        facts: what the training depends on, as `facts_of` told.
        state: what `get_state` returned.
        ended: whether a callback had ended the training.
        backend: the backend that it was made on.
        plan: the plan that ran the steps there.
        offset: the number of the order that its epoch 0 had; 0 in files of older versions.
    """

    path: Path
    position: Position
    facts: dict
    state: dict
    ended: bool
    backend: str
    plan: str
    offset: int = 0

    @classmethod
    def read(cls, path, position, manifest, parts):
        """What the manifest and parts of a file tell.

        Raises:
            InputError: what `Saver` did not write; digests say nothing about that.
        """
        try:
            found = cls(
                path,
                position,
                manifest["facts"],
                PartsReader(parts).value(manifest["state"]),
                manifest["ended"],
                manifest["versions"]["backend"],
                manifest["plan"],
                manifest.get("offset", 0),
            )
            found._check()
        except Exception as error:  # an altered file may break reading anywhere
            raise InputError(
                f"Expected a whole checkpoint. Received: {path}, which cannot be read "
                f"({type(error).__name__}: {error})."
            ) from error
        return found

    def _check(self):
        kinds = {
            "facts": dict, "state": dict, "ended": bool, "backend": str, "plan": str,
            "offset": int,
        }  # fmt: skip
        wrong = [name for name, kind in kinds.items() if type(getattr(self, name)) is not kind]
        for variables in self.state["variables"].values():
            wrong += [path for path, value in variables if not _is(path, str, value, np.ndarray)]
        if self.offset < 0:
            wrong.append("offset")
        callbacks = self.state["callbacks"]
        wrong += [name for name, state in callbacks if not _is(name, str, state, dict)]
        if wrong or set(self.state["variables"]) != {"weights", "optimizer", "metrics"}:
            raise ValueError(f"{wrong[:1] or 'variables'} is not what a checkpoint has")


def _is(one, kind, other, other_kind):
    return type(one) is kind and type(other) is other_kind
