"""Named Python environments of a check, and the backend that each of them runs."""

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from ae_multi.backend_selection import BACKENDS, FORWARD_ONLY
from ae_multi.errors import InputError

# Prints which of this package and the frameworks an interpreter can import, without importing them.
_PROBE = (
    "import importlib.util as u, json; "
    f"print(json.dumps([n for n in {('ae_multi', *BACKENDS)!r} if u.find_spec(n)]))"
)
_PROBE_SECONDS = 60


@dataclass(frozen=True)
class Environment:
    """A Python environment.

    Attributes:
        python: path of its interpreter.
        backend: the backend that it runs.
    """

    python: str
    backend: str


def find_environments(pythons: Mapping[str, str]) -> dict[str, Environment]:
    """Return the environments of a check.

    An environment runs the backend whose framework is installed in it. If there are several,
    KERAS_BACKEND chooses among them.

    Args:
        pythons: dict of a name to the path of an interpreter.

    Raises:
        InputError: there are fewer than two environments; a name is unsuitable; an interpreter
            cannot be run or lacks this package; or the backend is not determined.
    """
    if len(pythons) < 2:
        raise InputError(
            "Expected two or more environments. Received: " + (", ".join(pythons) or "none") + "."
        )
    for name in pythons:
        check_environment_name(name)
    return {name: Environment(python, _backend(name, python)) for name, python in pythons.items()}


def check_environment_name(name: str) -> None:
    """Raise `InputError` unless an environment or a trace can have this name."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name) or name in FORWARD_ONLY:
        raise InputError(
            "Expected a name of letters, digits, dots, dashes and underscores, other than "
            f"{' and '.join(FORWARD_ONLY)}. Received: {name!r}."
        )


def _backend(name: str, python: str) -> str:
    """Return the backend that the environment ``name`` runs."""
    found = _importable(name, python)
    if "ae_multi" not in found:
        raise InputError(
            f"Expected this package to be installed in the environment {name}. Received: "
            f"{python} cannot import ae_multi."
        )
    frameworks = [backend for backend in BACKENDS if backend in found]
    chosen = os.environ.get("KERAS_BACKEND")
    if chosen in frameworks:
        return chosen
    if len(frameworks) != 1:
        raise InputError(
            f"Expected one of {', '.join(BACKENDS)} in the environment {name}, or KERAS_BACKEND "
            f"to choose among several. Received: {', '.join(frameworks) or 'none of them'} in "
            f"{python}, and KERAS_BACKEND is {chosen or 'not set'}."
        )
    return frameworks[0]


def _importable(name: str, python: str) -> list[str]:
    """Return which of this package and the frameworks the interpreter ``python`` can import."""
    try:
        done = subprocess.run(
            [python, "-c", _PROBE], capture_output=True, timeout=_PROBE_SECONDS, check=True
        )
        return json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise InputError(
            f"Expected an interpreter that can be run for the environment {name}. "
            f"Received: {python} ({reason})."
        ) from error
