"""Selection of the Keras backend before Keras is imported.

Keras reads ``KERAS_BACKEND`` once, during its import, and its error about a missing framework names
neither the available backends nor the remedy. This module checks the choice without importing a
framework.
"""

import importlib.util
import logging
import os
import sys
from pathlib import Path

from ae_multi.errors import BackendError, InputError
from ae_multi.io import json

BACKENDS = ("torch", "tensorflow", "jax")
# Backends on which Keras supports inference only.
FORWARD_ONLY = ("numpy", "openvino")

_log = logging.getLogger("ae_multi")


def installed(backend: str) -> bool:
    """Return whether the framework of ``backend`` is installed, without importing it."""
    return importlib.util.find_spec(backend) is not None


def keras_home() -> Path:
    """Return the folder of Keras's settings and data sets.

    It is ``KERAS_HOME`` if set, otherwise ``.keras`` in the home directory.
    """
    variable = os.environ.get("KERAS_HOME")
    if variable:
        return Path(variable)
    # As in Keras: /tmp/.keras if there is no home directory or it is not writable.
    home = os.path.expanduser("~")
    return Path(home if os.access(home, os.W_OK) else "/tmp") / ".keras"


def package_cache() -> Path | None:
    """Return the folder of this package's cached files, or None without a home directory.

    It is ``AE_MULTI_CACHE`` if set, otherwise the cache folder of the user.
    """
    variable = os.environ.get("AE_MULTI_CACHE")
    if variable:
        return Path(variable)
    import platformdirs  # here, since `import ae_multi` should take no time

    try:
        return platformdirs.user_cache_path("ae_multi", appauthor=False)
    except RuntimeError:  # no home directory
        return None


def install_advice(*packages: str) -> str:
    """Return the command that installs ``packages``; it also works in a clone of the project."""
    return f"pip install {' '.join(packages)}"


def select_training_backend() -> str:
    """Return the name of the backend of `select_backend`, which must support training.

    Raises:
        BackendError: as `select_backend`, or a backend that supports inference only.
    """
    name = select_backend()
    if name not in BACKENDS:
        raise BackendError(
            f"Expected KERAS_BACKEND to name one of {', '.join(BACKENDS)}, which train models. "
            f"Received: {name!r}, which supports inference only."
        )
    return name


def select_backend() -> str:
    """Return the name of the backend of Keras, or of its future import.

    ``KERAS_BACKEND`` determines the backend. If it is unset, the default of Keras applies: the
    setting in ``keras.json``, otherwise TensorFlow. If this default is not installed, the first
    installed backend of `BACKENDS` is selected and one line is logged.

    Raises:
        BackendError: an unknown name, or a framework that is not installed.
    """
    if "keras" in sys.modules:
        return sys.modules["keras"].config.backend()
    variable = os.environ.get("KERAS_BACKEND")
    if variable:
        check_backend(variable, where="the environment variable KERAS_BACKEND")
        return variable
    default = _keras_default()
    if installed(default):
        return default
    for backend in BACKENDS:
        if installed(backend):
            _log.warning(
                "KERAS_BACKEND is not set and Keras's default, %s, is not installed: using %s.",
                default,
                backend,
            )
            os.environ["KERAS_BACKEND"] = backend
            return backend
    raise BackendError(
        "Expected one of torch, tensorflow or jax to be installed. Received: none of them is. "
        f"Install one with: {', '.join(map(install_advice, BACKENDS[:-1]))} or "
        f"{install_advice(BACKENDS[-1])}."
    )


def check_backend(name: str, where: str) -> None:
    """Raise `BackendError` unless ``name`` is an installed Keras backend.

    Args:
        name: name of the backend.
        where: source of the name, for the message.
    """
    if name not in BACKENDS + FORWARD_ONLY:
        raise BackendError(
            f"Expected {where} to name one of {', '.join(BACKENDS)} "
            f"(or, to run models without training them, {', '.join(FORWARD_ONLY)}). "
            f"Received: {name!r}."
        )
    if not installed(name):
        raise BackendError(
            f"Expected {name}, which {where} requires, to be installed. Received: "
            f"{sys.executable} cannot import it. Install it with: {install_advice(name)}."
        )


def _keras_default() -> str:
    """Return the default backend of Keras: the one in ``keras.json``, otherwise TensorFlow."""
    try:
        settings = json.read(keras_home() / "keras.json", "Keras's settings")
    except (OSError, InputError):
        return "tensorflow"
    name = settings.get("backend", "tensorflow") if isinstance(settings, dict) else "tensorflow"
    if name not in BACKENDS + FORWARD_ONLY:
        check_backend(name, where=str(keras_home() / "keras.json"))
    return name
