"""Reader of weights in files of Keras 3 and tf.keras, which does not build models."""

import contextlib
import io
import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ae_multi.errors import InputError
from ae_multi.io import hdf5, zip_archive
from ae_multi.io.atomic import check_file, wrap_read_errors

_WEIGHTS = "model.weights.h5"
# Groups in the file of a model that are not layers.
_NOT_LAYERS = ("optimizer", "metrics")
# Keras's default names of the layers with weights that can be converted.
KINDS = {
    "dense", "conv2d", "conv2d_transpose", "batch_normalization", "layer_normalization",
    "vector_quantizer",
}  # fmt: skip


@dataclass(frozen=True)
class Group:
    """The weights of one layer.

    Attributes:
        kind: class of the layer in snake case: "dense", "conv2d_transpose".
        path: path of the layer, by which layers of one kind are sorted.
        arrays: list in Keras's order: kernel, bias; gamma, beta, mean, variance.
    """

    kind: str
    path: str
    arrays: list[Any]


def read(path: os.PathLike[str] | str) -> list[Group] | dict[str, np.ndarray]:
    """Read the weights in a file.

    Args:
        path: a ``.keras`` or ``.weights.h5`` file of Keras 3, or an ``.h5`` file of tf.keras with
            a model or its weights.

    Returns:
        A list of `Group` for files of Keras 3; a dict of keys to arrays in layer order for files
        of tf.keras.

    Raises:
        InputError: there is no such file, or it is of another type.
    """
    path = Path(path)
    check_file(path, "a file of Keras")
    with _hdf5(path) as file:
        root = file.get("model_weights", file)
        return _by_name(root) if "layer_names" in root.attrs else _groups(root)


@contextlib.contextmanager
def _hdf5(path: Path) -> Iterator[h5py.File]:
    """Context manager that yields the checked HDF5 file at ``path``, or in the archive there."""
    with wrap_read_errors(path, "file of Keras"):
        if zipfile.is_zipfile(path):
            with zip_archive.opened(path, "the .keras file") as archive:
                content = io.BytesIO(archive.read(_WEIGHTS))
        else:
            content = io.BytesIO(path.read_bytes())
    hdf5.check(content, len(content.getbuffer()), f"the weights in {path}")
    try:
        with h5py.File(content, "r") as file:
            yield file
    except (KeyError, TypeError, ValueError, OSError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"Expected the weights in {path} in the layout of Keras. Received: {error}."
        ) from error


def _groups(root: h5py.Group) -> list[Group]:
    """Return the layers in an HDF5 file of Keras 3."""
    entries = list(_entries(root, ""))
    # The path of a layer that is an attribute of a model ends with the attribute, "fc1". Its class
    # and order are known only from the name of the layer, "dense_2".
    attributes = any("layers" not in path for path, _, _ in entries)
    groups = []
    for path, name, arrays in entries:
        *parents, last = path.split("/")
        if attributes and parents in ([], ["layers"]) and last not in ("encoder", "decoder"):
            path = last = name
        kind = re.sub(r"_\d+$", "", name if last in ("encoder", "decoder") else last)
        groups.append(Group(kind if kind in KINDS else _guess_kind(arrays), path, arrays))
    return groups


def _entries(group: h5py.Group, path: str) -> Iterator[tuple[str, str, list[np.ndarray]]]:
    """Yield (path, layer name, arrays) of all layers in ``group``; the arrays are in "vars"."""
    for name in sorted(group, key=_number):
        inner = group[name]
        if not isinstance(inner, h5py.Group) or (not path and name in _NOT_LAYERS):
            continue
        if name == "vars":
            arrays = [inner[key][()] for key in sorted(inner, key=_number)]
            arrays = [array for array in arrays if array.dtype.kind not in "iu"]
            if arrays:
                yield path, str(inner.attrs.get("name", path)), arrays
        else:
            yield from _entries(inner, f"{path}/{name}" if path else name)


def _guess_kind(arrays: list[np.ndarray]) -> str:
    """Guess the class of a layer with a custom name from the number of axes of its weights."""
    axes = tuple(array.ndim for array in arrays)
    by_axes = {2: "dense", 4: "conv2d", 1: "layer_normalization"}
    return "batch_normalization" if axes == (1, 1, 1, 1) else by_axes.get(axes[0], "other")


def _by_name(root: h5py.Group) -> dict[str, np.ndarray]:
    """Return the arrays in a file of tf.keras, which lists its layers in order."""
    arrays = {}
    for layer in _names(root, "layer_names"):
        for name in _names(root[layer], "weight_names"):
            array = root[layer][name][()]
            if array.dtype.kind not in "iu":
                arrays[f"{layer}.{name.removesuffix(':0').replace('/', '.')}"] = array
    return arrays


def _names(group: h5py.Group, attribute: str) -> list[str]:
    """Return the strings in an attribute, which tf.keras splits into chunks if it is long."""
    chunks = [group.attrs[attribute]] if attribute in group.attrs else []
    while f"{attribute}{len(chunks)}" in group.attrs:
        chunks.append(group.attrs[f"{attribute}{len(chunks)}"])
    names = [name for chunk in chunks for name in chunk]
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _number(name: str) -> tuple[int, str]:
    """Return a key that sorts numbers by value, after all other names."""
    return (int(name), "") if name.isdigit() else (-1, name)
