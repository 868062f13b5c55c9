"""Which backend Keras will run on, settled before Keras is imported.

Keras reads ``KERAS_BACKEND`` while it is imported and never again, and what it says when the
framework is missing names neither the choices nor the remedy. So the choice is checked here,
without importing anything.
"""

import importlib.util
import logging
import os
import sys
from pathlib import Path

import platformdirs

from ae_multi.errors import BackendError, InputError
from ae_multi.io import json

BACKENDS = ("torch", "tensorflow", "jax")
# Keras can run a model forward on these two, but not train it.
FORWARD_ONLY = ("numpy", "openvino")

_log = logging.getLogger("ae_multi")


def installed(backend):
    """Whether the framework behind ``backend`` can be imported, found out without importing it."""
    return importlib.util.find_spec(backend) is not None


def keras_home():
    """The folder of Keras's settings and data sets: ``KERAS_HOME``, or ``.keras`` at home."""
    named = os.environ.get("KERAS_HOME")
    if named:
        return Path(named)
    # As Keras does it: without a home directory, or with one that cannot be written, below /tmp.
    home = os.path.expanduser("~")
    return Path(home if os.access(home, os.W_OK) else "/tmp") / ".keras"


def package_cache():
    """Return the folder of this package's cached files, or None without a home directory.

    ``AE_MULTI_CACHE`` names it; otherwise it is the user's cache folder of the system.
    """
    named = os.environ.get("AE_MULTI_CACHE")
    if named:
        return Path(named)
    folder = platformdirs.user_cache_path("ae_multi", appauthor=False)
    return folder if folder.is_absolute() else None


def install_advice(*packages):
    """The command that installs ``packages``, which works from a clone of this one, too."""
    return f"pip install {' '.join(packages)}"


def select_training_backend():
    """Return what `select_backend` does, where that backend can train.

    Raises:
        BackendError: as `select_backend`, or a backend that only runs models forward.
    """
    name = select_backend()
    if name not in BACKENDS:
        raise BackendError(
            f"Expected KERAS_BACKEND to name one of {', '.join(BACKENDS)}, which train models. "
            f"Received: {name!r}, which only runs them forward."
        )
    return name


def select_backend():
    """Return the name of the backend that Keras runs on, or will once it is imported.

    ``KERAS_BACKEND`` decides. Where it is unset Keras's own rule holds: ``keras.json``, else
    TensorFlow. Where that default is not installed the first of `BACKENDS` that is gets taken,
    and one logged line says so.

    Raises:
        BackendError: an unknown name, or a framework that is not installed.
    """
    if "keras" in sys.modules:
        return sys.modules["keras"].config.backend()
    asked = os.environ.get("KERAS_BACKEND")
    if asked:
        check_backend(asked, where="the environment variable KERAS_BACKEND")
        return asked
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


def check_backend(name, where):
    """Raise `BackendError` unless ``name`` is a backend of Keras's that is installed here."""
    if name not in BACKENDS + FORWARD_ONLY:
        raise BackendError(
            f"Expected {where} to name one of {', '.join(BACKENDS)} "
            f"(or, to run models without training them, {', '.join(FORWARD_ONLY)}). "
            f"Received: {name!r}."
        )
    if not installed(name):
        raise BackendError(
            f"Expected {name}, which {where} asks for, to be installed. Received: {sys.executable} "
            f"cannot import it. Install it with: {install_advice(name)}."
        )


def _keras_default():
    """The backend that Keras takes by itself: that of ``keras.json``, else TensorFlow."""
    try:
        settings = json.read(keras_home() / "keras.json", "Keras's settings")
    except (OSError, InputError):
        return "tensorflow"
    name = settings.get("backend", "tensorflow") if isinstance(settings, dict) else "tensorflow"
    if name not in BACKENDS + FORWARD_ONLY:
        check_backend(name, where=str(keras_home() / "keras.json"))
    return name
