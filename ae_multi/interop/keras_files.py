"""Weights in files that Keras has written, now and in former times; no model is built from them."""

import contextlib
import io
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import h5py

from ae_multi.errors import InputError
from ae_multi.io import hdf5, zip_archive
from ae_multi.io.atomic import check_file, wrap_read_errors

_WEIGHTS = "model.weights.h5"
# What a whole model's file has beside its layers.
_BESIDE = ("optimizer", "metrics")
# What Keras calls, in names, the layers with weights that can be moved.
KINDS = {
    "dense", "conv2d", "conv2d_transpose", "batch_normalization", "layer_normalization",
    "vector_quantizer",
}  # fmt: skip


@dataclass(frozen=True)
class Group:
    """The weights of one layer.

    Attributes:
        kind: its class, as Keras writes it in names: "dense", "conv2d_transpose".
        path: where it is, which sorts the layers of a kind.
        arrays: list, in Keras's order: kernel, bias; gamma, beta, mean, variance.
    """

    kind: str
    path: str
    arrays: list


def read(path):
    """What a file holds: a list of `Group`, or, of old files, a dict of keys to arrays in order.

    Args:
        path: a ``.keras`` or ``.weights.h5`` file of Keras 3, or an ``.h5`` file of tf.keras,
            of a whole model or of weights.

    Raises:
        InputError: no such file, or one that is neither.
    """
    path = Path(path)
    check_file(path, "a file of Keras")
    with _hdf5(path) as file:
        root = file.get("model_weights", file)
        return _by_name(root) if "layer_names" in root.attrs else _groups(root)


@contextlib.contextmanager
def _hdf5(path):
    """The HDF5 file at ``path``, or in the archive there, after a look at all of it."""
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
            f"Expected the weights in {path} to be as Keras writes them. Received: {error}."
        ) from error


def _groups(root):
    """The layers in an HDF5 file of Keras 3."""
    entries = list(_entries(root, ""))
    # Layers that are attributes of a model, "fc1", are told apart by their own names, "dense_2".
    attributes = any("layers" not in path for path, _, _ in entries)
    groups = []
    for path, name, arrays in entries:
        *parents, own = path.split("/")
        if attributes and parents in ([], ["layers"]) and own not in ("encoder", "decoder"):
            path = own = name
        kind = re.sub(r"_\d+$", "", name if own in ("encoder", "decoder") else own)
        groups.append(Group(kind if kind in KINDS else _guessed(arrays), path, arrays))
    return groups


def _entries(group, path):
    """(path, the layer's own name, arrays) of all layers below; the arrays are in "vars"."""
    for name in sorted(group, key=_number):
        inner = group[name]
        if not isinstance(inner, h5py.Group) or (not path and name in _BESIDE):
            continue
        if name == "vars":
            arrays = [inner[key][()] for key in sorted(inner, key=_number)]
            arrays = [array for array in arrays if array.dtype.kind not in "iu"]
            if arrays:
                yield path, str(inner.attrs.get("name", path)), arrays
        else:
            yield from _entries(inner, f"{path}/{name}" if path else name)


def _guessed(arrays):
    """The class of a layer that its user has named, by the axes of its weights."""
    axes = tuple(array.ndim for array in arrays)
    by_axes = {2: "dense", 4: "conv2d", 1: "layer_normalization"}
    return "batch_normalization" if axes == (1, 1, 1, 1) else by_axes.get(axes[0], "other")


def _by_name(root):
    """The arrays of a file of tf.keras, which lists its layers in order."""
    found = {}
    for layer in _listed(root, "layer_names"):
        for name in _listed(root[layer], "weight_names"):
            array = root[layer][name][()]
            if array.dtype.kind not in "iu":
                found[f"{layer}.{name.removesuffix(':0').replace('/', '.')}"] = array
    return found


def _listed(group, attribute):
    """The texts of an attribute, which may be in pieces."""
    pieces = [group.attrs[attribute]] if attribute in group.attrs else []
    while f"{attribute}{len(pieces)}" in group.attrs:
        pieces.append(group.attrs[f"{attribute}{len(pieces)}"])
    texts = [text for piece in pieces for text in piece]
    return [text.decode() if isinstance(text, bytes) else str(text) for text in texts]


def _number(name):
    return (int(name), "") if name.isdigit() else (-1, name)
