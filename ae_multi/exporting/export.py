"""Export of a model to a file, which is verified before it is moved into place."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ae_multi._keras import keras
from ae_multi.backend_selection import select_backend
from ae_multi.errors import ExportError, InputError
from ae_multi.exporting.check import BOUND, Export, difference
from ae_multi.exporting.current_backend import make
from ae_multi.exporting.formats import FORMATS, check_made_here, chosen
from ae_multi.exporting.graph import Graph, graph_of
from ae_multi.exporting.other_backend import hand_over
from ae_multi.exporting.samples import batches_for
from ae_multi.io.atomic import check_writable


def export(
    model: Any,
    path: os.PathLike[str] | str,
    format: str | None = None,
    *,
    part: str = "model",
    data: Any = None,
    pythons: Mapping[str, str] | None = None,
) -> Export:
    """Export a model, its encoder or decoder, or a fitted estimator to a file.

    The current backend writes the formats that it supports. For other formats, a process with
    another backend receives the model and writes the file. The file is then loaded by its own
    runtime and compared with the model on batches of two sizes.

    Args:
        model: a Keras model with one input, such as `ae_multi.Autoencoder`, or an estimator.
        path: path of the file, or of the folder for "savedmodel". "openvino" writes a second file
            with the suffix ``.bin``.
        format: "onnx", "torch", "savedmodel", "litert", "openvino" or "stablehlo"; by default the
            suffix of ``path`` determines it.
        part: "model", "encoder" or "decoder".
        data: samples for the comparison, by default test images of MNIST if they fit the model,
            otherwise random numbers.
        pythons: dict of backend names to the Python interpreters of environments where they are
            installed; by default the current interpreter.

    Returns:
        An `Export` with the measured ``difference``.

    Raises:
        InputError: the path, format, part, data or model is invalid.
        ExportError: packages are missing (the message names them), the format cannot represent
            the model, or the outputs of the file differ from the model's. Then no file is left.
    """
    if not isinstance(model, keras.Model) and hasattr(model, "export"):
        return model.export(path, format, part=part, data=data, pythons=pythons)
    graph = graph_of(model, part)
    return export_graph(graph, path, format, part=part, data=data, pythons=pythons)


def export_graph(
    graph: Graph,
    path: os.PathLike[str] | str,
    format: str | None = None,
    *,
    part: str = "model",
    data: Any = None,
    pythons: Mapping[str, str] | None = None,
) -> Export:
    """Export a `Graph`; arguments, result and errors are those of `export`."""
    name, path = chosen(format, path), Path(path)
    python = _python(name, pythons or {})
    check_place(path, name)
    batches = batches_for(graph, data)
    with tempfile.TemporaryDirectory(prefix=f".{path.stem}-", dir=path.parent) as folder:
        temporary = Path(folder) / "made" / path.name
        temporary.parent.mkdir()
        if python is None and select_backend() == FORMATS[name].backend:
            outputs, versions = make(graph.model, name, temporary, batches)
        else:
            outputs, versions = hand_over(graph.model, name, temporary, batches, python)
        reference = graph.expected(batches[0])
        expected = [{key: of[: len(batch)] for key, of in reference.items()} for batch in batches]
        measured = difference(graph, expected, outputs)
        size = sum(file.stat().st_size for file in temporary.parent.rglob("*") if file.is_file())
        _move(temporary.parent, path.parent, Path(folder) / "replaced")
    return Export(path, name, part, outputs[0], measured, BOUND, len(batches[0]), size, versions)


def check_place(path: Path, name: str) -> None:
    """Check that an exported file, or the folder of a SavedModel, can be written at ``path``.

    Args:
        path: path of the file or folder.
        name: name of the format.

    Raises:
        InputError: the path cannot be written, or exists and is not a SavedModel.
    """
    if FORMATS[name].suffix:
        check_writable(path, "the exported model")
        return
    if path.exists() and not (path / "saved_model.pb").is_file():
        raise InputError(
            f"Expected a new folder, or one of a SavedModel. Received: {path}, which is neither."
        )
    check_writable(path.with_name(path.name + ".pb"), "the exported model")


def _python(name: str, pythons: Mapping[str, str]) -> str | None:
    """Return the interpreter that writes the format, or None for the current one."""
    unknown = sorted(set(pythons) - {format.backend for format in FORMATS.values()})
    if unknown:
        raise InputError(
            "Expected interpreters of torch, tensorflow, jax or openvino. "
            f"Received: {unknown[0]!r}."
        )
    python = pythons.get(FORMATS[name].backend)
    if python is not None:
        if shutil.which(python) is None:
            raise InputError(f"Expected an interpreter that can be run. Received: {python}.")
        return str(python)
    check_made_here(name)
    return None


def _move(source: Path, target: Path, replaced: Path) -> None:
    """Move the entries of ``source`` to ``target``, and old folders there to ``replaced``."""
    replaced.mkdir()
    # ".bin" is moved before ".xml", so that a graph never exists without its weights.
    for entry in sorted(source.iterdir()):
        destination = target / entry.name
        for file in [entry, *entry.rglob("*")]:
            if file.is_file():
                with open(file, "r+b") as written:
                    os.fsync(written.fileno())
        if entry.is_dir() and destination.exists():
            os.rename(destination, replaced / entry.name)
        try:
            os.replace(entry, destination)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.rename(replaced / entry.name, destination)
            raise ExportError(
                f"Expected to move the exported model to {destination}. Received: {error.strerror}."
            ) from error
