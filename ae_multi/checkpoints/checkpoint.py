"""Content of a checkpoint file, validated before use."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ae_multi.checkpoints import Position
from ae_multi.errors import InputError
from ae_multi.io.serialization import PartsReader


class Checkpoint(NamedTuple):
    """A checkpoint of a training.

    Attributes:
        path: path of the file.
        position: the epochs and steps that are complete.
        facts: what the training depends on, from `facts_of`.
        state: state of the model and callbacks, from `get_state`.
        ended: whether a callback had ended the training.
        backend: name of the backend that the training ran on.
        plan: name of the plan that ran the steps.
        offset: number of epochs trained before, which is added to the number of each epoch for its
            batch order; 0 in files of older versions.
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
    def read(
        cls, path: Path, position: Position, manifest: Mapping[str, Any], parts: Mapping[str, bytes]
    ) -> "Checkpoint":
        """Parse and validate the manifest and parts of a checkpoint file.

        The digests in the file detect damage, but not content that `Saver` never writes, so types
        are checked here.

        Args:
            path: path of the file, for messages.
            position: the position in the file's name.
            manifest: the manifest of the archive.
            parts: dict of part name to content.

        Raises:
            InputError: content that `Saver` does not write.
        """
        try:
            checkpoint = cls(
                path,
                position,
                manifest["facts"],
                PartsReader(parts).value(manifest["state"]),
                manifest["ended"],
                manifest["versions"]["backend"],
                manifest["plan"],
                manifest.get("offset", 0),
            )
            checkpoint._check()
        except Exception as error:  # an altered file can raise any error here
            raise InputError(
                f"Expected a complete checkpoint. Received: {path}, which cannot be read "
                f"({type(error).__name__}: {error})."
            ) from error
        return checkpoint

    def _check(self) -> None:
        """Raise an error if a value has the wrong type."""
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
            raise ValueError(f"the wrong type or name: {wrong[0] if wrong else 'variables'}")


def _is(one: Any, kind: type, other: Any, other_kind: type) -> bool:
    return type(one) is kind and type(other) is other_kind
