"""Description of the machine, backend, versions and date of results."""

import datetime
import os
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import ae_multi
from ae_multi import backends


def describe_machine() -> dict[str, Any]:
    """Return date, operating system, processor and number of cores, as values for JSON."""
    return {
        "date": datetime.date.today().isoformat(),
        "system": platform.system(),
        "processor": _processor(),
        "cores": os.cpu_count(),
    }


def describe_backend() -> dict[str, Any]:
    """Return name, device and versions of the current backend, as values for JSON."""
    name, keras_version = _keras()
    backend = backends.current()
    return {
        "backend": name,
        "device": backend.device(),
        "versions": {
            "python": platform.python_version(),
            "keras": keras_version,
            name: backend.version(),
            "numpy": np.__version__,
        },
    }


def emit_backend(job: Mapping[str, Any], emit: Callable[[dict[str, Any]], None]) -> None:
    """Run a worker's job: emit the result of `describe_backend`.

    Args:
        job: not used.
        emit: function that sends an event to the parent process.
    """
    emit({"event": "backend", **describe_backend()})


def checkpoint_versions() -> dict[str, str]:
    """Return the versions and device of a checkpoint.

    A resumed training is bit-identical if they are the same.
    """
    description = describe_backend()
    versions, name = description["versions"], description["backend"]
    return {
        "ae_multi": ae_multi.__version__,
        "python": versions["python"],
        "numpy": versions["numpy"],
        "keras": versions["keras"],
        "backend": name,
        name: versions[name],
        "device": description["device"],
    }


def estimator_provenance() -> dict[str, str]:
    """Return versions, backend, device and date of the training of an estimator."""
    import sklearn

    description = describe_backend()
    versions, name = description["versions"], description["backend"]
    return {
        "ae_multi": ae_multi.__version__,
        "backend": f"{name} {versions[name]}",
        "device": description["device"],
        "keras": versions["keras"],
        "numpy": versions["numpy"],
        "scikit-learn": sklearn.__version__,
        "python": versions["python"],
        "date": datetime.date.today().isoformat(),
    }


def _keras() -> tuple[str, str]:
    """Return (backend, version) of Keras.

    Keras is imported here, since `describe_machine` must not load a framework.
    """
    from ae_multi._keras import keras

    return keras.config.backend(), keras.__version__


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
