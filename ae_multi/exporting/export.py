"""A model to a file of another format, which is tried before it is left."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from ae_multi._keras import keras
from ae_multi.errors import ExportError, InputError
from ae_multi.exporting.check import BOUND, Export, difference
from ae_multi.exporting.formats import FORMATS, check_made_here, chosen
from ae_multi.exporting.graph import graph_of
from ae_multi.exporting.local import make
from ae_multi.exporting.remote import hand_over
from ae_multi.exporting.samples import batches_for
from ae_multi.io.atomic import check_writable
from ae_multi.selection import select_backend


def export(model, path, format=None, *, part="model", data=None, pythons=None):
    """Write a model, a part of it, or a fitted estimator in a format that others run.

    The running backend makes the formats that it can; other formats are made in a process of the
    backend that can, to which the model is handed over. The file is then loaded by its own
    runtime and compared with the model, in batches of two sizes.

    Args:
        model: a Keras model of one input, such as `ae_multi.Autoencoder`, or an estimator.
        path: where it goes. A folder for "savedmodel"; "openvino" writes a ``.bin`` beside.
        format: "onnx", "torch", "savedmodel", "litert", "openvino" or "stablehlo"; by default
            what the path's suffix says.
        part: "model", "encoder" or "decoder".
        data: samples to compare on, by default test images of MNIST where they fit, or random.
        pythons: dict of backend to the interpreter of an environment where it is installed;
            by default the one that runs here.

    Returns:
        An `Export`, which has the measured ``difference``.

    Raises:
        InputError: a path, format, part, data or model that cannot be meant.
        ExportError: packages that are missing, which are named; a model that the format
            cannot hold; or a file that gives something else, which is not left.
    """
    if not isinstance(model, keras.Model) and hasattr(model, "export"):
        return model.export(path, format, part=part, data=data, pythons=pythons)
    graph = graph_of(model, part)
    return export_graph(graph, path, format, part=part, data=data, pythons=pythons)


def export_graph(graph, path, format=None, *, part="model", data=None, pythons=None):
    """As `export`, of a `Graph`."""
    name, path = chosen(format, path), Path(path)
    python = _python(name, pythons or {})
    check_place(path, name)
    batches = batches_for(graph, data)
    with tempfile.TemporaryDirectory(prefix=f".{path.stem}-", dir=path.parent) as folder:
        made = Path(folder) / "made" / path.name
        made.parent.mkdir()
        if python is None and select_backend() == FORMATS[name].backend:
            found, versions = make(graph.model, name, made, batches)
        else:
            found, versions = hand_over(graph.model, name, made, batches, python)
        whole = graph.expected(batches[0])
        expected = [{key: of[: len(batch)] for key, of in whole.items()} for batch in batches]
        off = difference(graph, expected, found)
        size = sum(file.stat().st_size for file in made.parent.rglob("*") if file.is_file())
        _place(made.parent, path.parent, Path(folder) / "replaced")
    return Export(path, name, part, found[0], off, BOUND, len(batches[0]), size, versions)


def check_place(path, name):
    """Raise `InputError` unless a file, or the folder of a SavedModel, could be put at ``path``."""
    if FORMATS[name].suffix:
        check_writable(path, "the exported model")
        return
    if path.exists() and not (path / "saved_model.pb").is_file():
        raise InputError(
            f"Expected a new folder, or one of a SavedModel. Received: {path}, which is neither."
        )
    check_writable(path.with_name(path.name + ".pb"), "the exported model")


def _python(name, pythons):
    """The interpreter that makes the format; None for the one that runs here."""
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


def _place(source, target, replaced):
    """Move what was made to where it belongs, the file that names it last; old folders go."""
    replaced.mkdir()
    # ".bin" before ".xml": who finds the graph finds its weights.
    for made in sorted(source.iterdir()):
        place = target / made.name
        for file in [made, *made.rglob("*")]:
            if file.is_file():
                with open(file, "r+b") as written:
                    os.fsync(written.fileno())
        if made.is_dir() and place.exists():
            os.rename(place, replaced / made.name)
        try:
            os.replace(made, place)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.rename(replaced / made.name, place)
            raise ExportError(
                f"Expected to move the exported model to {place}. Received: {error.strerror}."
            ) from error
