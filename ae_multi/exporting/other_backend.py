"""Writing and running an exported file with another backend, in its own process.

The process receives the graph as JSON and its weights as arrays, which are the same on every
backend. It returns the file and the outputs of its runtime for the samples.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ae_multi._keras import keras
from ae_multi.errors import BackendError, ExportError, InputError, WorkerError, in_a_line
from ae_multi.exporting.current_backend import make
from ae_multi.exporting.formats import FORMATS, check_made_here
from ae_multi.io import npz
from ae_multi.subprocesses.launcher import run


def hand_over(
    model: keras.Model,
    name: str,
    path: Path,
    batches: Sequence[np.ndarray],
    python: str | None,
) -> tuple[list[dict[str, np.ndarray]], dict[str, str]]:
    """Export a model to ``path`` and run the file in another interpreter.

    Args:
        model: the functional Keras model.
        name: name of the format.
        path: path of the file. Arrays are exchanged through files in the folder above its own.
        batches: inputs for the runtime.
        python: path of the interpreter, or None for the current one.

    Returns:
        (list of dicts of outputs, one for each batch; dict of versions).

    Raises:
        InputError: the model cannot be serialized.
        ExportError: the process fails.
    """
    config = _config(model)
    folder = path.parent.parent
    np.savez(folder / "weights.npz", *model.get_weights())
    np.savez(folder / "batches.npz", *batches)
    job = {
        "run": "ae_multi.exporting.other_backend:receive",
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
        {output: arrays[f"{index}/{output}"] for output in event["names"]}
        for index in range(len(batches))
    ]
    return outputs, event["versions"]


def receive(job: Mapping[str, Any], emit: Callable[[dict[str, Any]], None]) -> None:
    """Build the graph, write the file and run it. This runs in the worker process.

    Args:
        job: the job of `hand_over`.
        emit: function that receives one event: a dict with the ``names`` of the outputs and the
            ``versions`` of the software.
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
    arrays = {
        f"{i}/{name}": value for i, each in enumerate(outputs) for name, value in each.items()
    }
    np.savez(folder / "outputs.npz", **arrays)  # type: ignore[arg-type]
    emit({"event": "exported", "names": sorted(outputs[0]), "versions": versions})


def _arrays(path: Path) -> list[np.ndarray]:
    """Return the arrays in a file that `np.savez` wrote without names, in order."""
    with npz.opened(path) as file:
        return [file.read(f"arr_{index}") for index in range(len(file.names))]


def _config(model: keras.Model) -> dict[str, Any]:
    """Return the configuration of ``model`` as JSON values, or raise `InputError`."""
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


def _drop_training(config: Any) -> None:
    """Remove compile configurations, which are not needed and may be specific to a backend."""
    for value in config.values() if isinstance(config, dict) else config:
        if isinstance(value, dict | list | tuple):
            _drop_training(value)
    if isinstance(config, dict):
        config.pop("compile_config", None)


def _modules(config: Any) -> Iterator[str]:
    """Yield the modules that define the classes in a configuration, other than those of Keras."""
    if isinstance(config, dict):
        module = config.get("module")
        if isinstance(module, str) and "class_name" in config and module.split(".")[0] != "keras":
            yield module
        config = list(config.values())
    if isinstance(config, list | tuple):
        for value in config:
            yield from _modules(value)
