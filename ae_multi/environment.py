"""Describe what results were computed on: the machine, the backend, versions and the date."""

import datetime
import os
import platform
from pathlib import Path

import numpy as np

import ae_multi
from ae_multi import backends


def describe_machine():
    """Date, operating system, processor and cores of this machine, as plain values."""
    return {
        "date": datetime.date.today().isoformat(),
        "system": platform.system(),
        "processor": _processor(),
        "cores": os.cpu_count(),
    }


def describe_backend():
    """The backend that runs here: names, versions and device, as plain values."""
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


def emit_backend(job, emit):
    """Emit what `describe_backend` returns; the job needs no other values."""
    emit({"event": "backend", **describe_backend()})


def checkpoint_versions():
    """What a checkpoint was made with; bits are promised where these are the same."""
    about = describe_backend()
    versions, name = about["versions"], about["backend"]
    return {
        "ae_multi": ae_multi.__version__,
        "python": versions["python"],
        "numpy": versions["numpy"],
        "keras": versions["keras"],
        "backend": name,
        name: versions[name],
        "device": about["device"],
    }


def estimator_provenance():
    """Versions, backend, device and date, for whoever finds an estimator's file later."""
    import sklearn

    about = describe_backend()
    versions, name = about["versions"], about["backend"]
    return {
        "ae_multi": ae_multi.__version__,
        "backend": f"{name} {versions[name]}",
        "device": about["device"],
        "keras": versions["keras"],
        "numpy": versions["numpy"],
        "scikit-learn": sklearn.__version__,
        "python": versions["python"],
        "date": datetime.date.today().isoformat(),
    }


def _keras():
    """(backend, version) of Keras, imported late: a machine is described without a framework."""
    from ae_multi._keras import keras

    return keras.config.backend(), keras.__version__


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())
