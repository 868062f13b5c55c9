"""A graph handed over to the backend that makes a format, in a process of its own.

The graph goes as JSON and its weights as arrays; both are the same on every backend. What comes
back is the file, and what its own runtime makes of the samples.
"""

import importlib
import json
import os
import sys
from pathlib import Path

import numpy as np

from ae_multi._keras import keras
from ae_multi.errors import BackendError, ExportError, InputError, WorkerError, in_a_line
from ae_multi.exporting.formats import FORMATS, check_made_here
from ae_multi.exporting.local import make
from ae_multi.io import npz
from ae_multi.subprocesses.launcher import run


def hand_over(model, name, path, batches, python):
    """Have ``path`` made and run by another interpreter.

    Args:
        model: the functional Keras model.
        name: of the format.
        path: where it is to lie, in a folder that is ours to write to.
        batches: list of arrays to run.
        python: the interpreter, or None for this one.

    Returns:
        (list of the outputs' dicts, one for each batch; dict of versions).
    """
    config = _config(model)
    folder = path.parent.parent
    np.savez(folder / "weights.npz", *model.get_weights())
    np.savez(folder / "batches.npz", *batches)
    job = {
        "run": "ae_multi.exporting.remote:receive",
        "graph": config,
        "modules": sorted(_modules(config)),
        "search": os.getcwd(),
        "format": name,
        "path": str(path),
    }
    backend = FORMATS[name].backend
    try:
        (event,) = [
            event
            for event in run(python or sys.executable, backend, job)
            if event["event"] == "exported"
        ]
    except (WorkerError, BackendError) as error:
        raise ExportError(
            f"Expected the {backend} process to make {FORMATS[name].title}. Received: {error}"
        ) from error
    with npz.opened(folder / "outputs.npz") as file:
        arrays = file.all()
    outputs = [
        {output: arrays[f"{place}/{output}"] for output in event["names"]}
        for place in range(len(batches))
    ]
    return outputs, event["versions"]


def receive(job, emit):
    """In the child: build the graph, make the file and run it.

    Args:
        job: as `hand_over` made it.
        emit: called with one dict of plain values: ``names`` of outputs and ``versions``.
    """
    check_made_here(job["format"])
    sys.path.insert(0, job["search"])
    path = Path(job["path"])
    folder = path.parent.parent
    try:
        for module in job["modules"]:
            importlib.import_module(module)
        model = keras.saving.deserialize_keras_object(job["graph"], safe_mode=True)
    except (ImportError, TypeError, ValueError) as error:
        raise InputError(
            "Expected a model of layers that another process can build. Received: "
            f"{in_a_line(error)}"
        ) from error
    model.set_weights(_arrays(folder / "weights.npz"))
    batches = _arrays(folder / "batches.npz")
    outputs, versions = make(model, job["format"], path, batches)
    np.savez(
        folder / "outputs.npz",
        **{f"{i}/{name}": value for i, each in enumerate(outputs) for name, value in each.items()},
    )
    emit({"event": "exported", "names": sorted(outputs[0]), "versions": versions})


def _arrays(path):
    """The arrays that were saved without names, in their order."""
    with npz.opened(path) as file:
        return [file.read(f"arr_{place}") for place in range(len(file.names))]


def _config(model):
    """The configuration of ``model`` as JSON knows it, or an `InputError`."""
    try:
        config = keras.saving.serialize_keras_object(model)
        _drop_training(config)
        json.dumps(config)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise InputError(
            "Expected a model that can be handed over to another process, of layers with a "
            f"get_config. Received: {in_a_line(error)}"
        ) from error
    return config


def _drop_training(config):
    """Take out how models are compiled, which no one needs and not every backend knows."""
    for value in config.values() if isinstance(config, dict) else config:
        if isinstance(value, dict | list | tuple):
            _drop_training(value)
    if isinstance(config, dict):
        config.pop("compile_config", None)


def _modules(config):
    """The modules, beside Keras's own, in which the classes of a configuration are written."""
    if isinstance(config, dict):
        module = config.get("module")
        if isinstance(module, str) and "class_name" in config and module.split(".")[0] != "keras":
            yield module
        config = list(config.values())
    if isinstance(config, list | tuple):
        for value in config:
            yield from _modules(value)
