"""Reader of state dicts in PyTorch files, without PyTorch and without executing their pickle.

``torch.save`` writes an uncompressed zip archive: NAME/data.pkl describes the tensors, and
NAME/data/N hold their raw values. `torch.load` executes the pickle, restricted by
``weights_only``; this reader executes none of it.
"""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from ae_multi.errors import InputError
from ae_multi.io import pickle_parser, zip_archive

_TYPES = {
    "FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "BFloat16Storage": "<u2",
    "LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "i1",
    "ByteStorage": "u1", "BoolStorage": "u1",
}  # fmt: skip
# Keys of the state dict in a checkpoint that also holds the epoch and the optimizer state.
_STATE_DICT_KEYS = ("state_dict", "model_state_dict", "model")


@dataclass(frozen=True)
class _Storage:
    """The values of one or several tensors, in one entry of the archive."""

    kind: str
    entry: str
    count: int


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage with an offset, shape and strides."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read(path: os.PathLike[str] | str) -> dict[str, np.ndarray]:
    """Read a state dict from a file of `torch.save`.

    Args:
        path: file that holds a state dict, or a dict with one under "state_dict",
            "model_state_dict" or "model".

    Returns:
        Dict of keys to NumPy arrays in file order. bfloat16 becomes float32; other dtypes are
        unchanged.

    Raises:
        InputError: there is no such file, PyTorch before version 1.6 wrote it, it holds a module
            (which is code) instead of a state dict, or its contents are inconsistent.
    """
    what = f"the state dict in {path}"
    with zip_archive.opened(path, "the file of PyTorch", stored=True) as archive:
        heads = [name for name in archive.names if name.endswith("/data.pkl")]
        if len(heads) != 1:
            raise InputError(
                f"Expected a file that torch.save wrote. Received: {path}, a zip archive without "
                "a data.pkl."
            )
        folder = heads[0].removesuffix("/data.pkl")
        order = f"{folder}/byteorder"
        if order in archive.names and archive.read(order) != b"little":
            raise InputError(f"Expected {what} to be little-endian. Received: it is not.")
        if archive.size(heads[0]) > pickle_parser.MAX_BYTES:
            raise InputError(
                f"Expected {what} to have at most {pickle_parser.MAX_BYTES:,} bytes of names. "
                f"Received: {archive.size(heads[0]):,} bytes in {heads[0]}."
            )
        content = pickle_parser.parse(archive.read(heads[0]), _called, _stored, what)
        state = _state(content, what)
        return {key: _array(archive, folder, key, value, what) for key, value in state.items()}


def _called(name: str, arguments: Any) -> Any:
    """Return the result of one of the calls in a state dict; raise ValueError for other calls."""
    if name == "collections OrderedDict" and arguments == ():
        return {}
    if name == "torch._utils _rebuild_tensor_v2":
        storage, offset, shape, strides = arguments[:4]
        return _Tensor(storage, offset, shape, strides)
    if name == "torch._utils _rebuild_parameter":
        return arguments[0]
    raise ValueError(
        f"an object, made by {name!r:.80}; save a module's state_dict() instead of the module"
    )


def _stored(reference: Any) -> _Storage:
    """Return the storage of a persistent ID; raise ValueError for IDs of other objects."""
    word, kind, entry, _, count = reference
    if word != "storage" or not kind.text.startswith("torch "):
        raise ValueError(f"a reference to {word!r:.80}")
    return _Storage(kind.text.removeprefix("torch "), entry, count)


def _state(content: Any, what: str) -> dict[str, _Tensor]:
    """Return the state dict that is the content of a file, or one of its entries."""
    for name in _STATE_DICT_KEYS:
        if isinstance(content, dict) and isinstance(content.get(name), dict):
            content = content[name]
            break
    if not isinstance(content, dict) or not all(isinstance(v, _Tensor) for v in content.values()):
        raise InputError(
            f"Expected {what} to be a dict of tensors. Received: {_description(content)}."
        )
    return content


def _description(content: Any) -> str:
    if not isinstance(content, dict):
        return f"a {type(content).__name__}"
    others = [str(key) for key, value in content.items() if not isinstance(value, _Tensor)]
    return f"a dict with {', '.join(others[:6])}"


def _array(
    archive: zip_archive.Archive, folder: str, key: str, tensor: _Tensor, what: str
) -> np.ndarray:
    """Return one tensor as an array, a view of its storage."""
    storage, shape, strides = tensor.storage, tensor.shape, tensor.strides
    known = isinstance(storage, _Storage) and storage.kind in _TYPES and _has_sizes(tensor)
    if not known or len(shape) != len(strides):
        raise InputError(
            f"Expected {key!r} in {what} to be a dense tensor of numbers. Received: another object."
        )
    dtype = np.dtype(_TYPES[storage.kind])
    content = archive.read(f"{folder}/data/{storage.entry}")
    last = tensor.offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    if len(content) != storage.count * dtype.itemsize or (all(shape) and last >= storage.count):
        raise _inconsistent(key, what, shape, f"{len(content):,} bytes")
    numbers = np.frombuffer(content, dtype)
    if storage.kind == "BFloat16Storage":  # the upper half of a float32
        numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
    try:
        if not all(shape):
            return np.empty(shape, numbers.dtype)
        steps = [stride * numbers.itemsize for stride in strides]
        begin = numbers[tensor.offset :]
        return np.lib.stride_tricks.as_strided(begin, shape, steps, writeable=False)
    except (ValueError, OverflowError, MemoryError) as error:  # sizes that no array can have
        raise _inconsistent(key, what, shape, error) from error


def _inconsistent(key, what, shape, received):
    return InputError(
        f"Expected {key!r} in {what} to have numbers for shape {shape!s:.80}. Received: {received}."
    )


def _has_sizes(tensor: _Tensor) -> bool:
    """Return whether offset, shape and strides are non-negative integers."""
    return (
        isinstance(tensor.shape, tuple)
        and isinstance(tensor.strides, tuple)
        and all(
            type(size) is int and size >= 0
            for size in (tensor.offset, *tensor.shape, *tensor.strides)
        )
    )
