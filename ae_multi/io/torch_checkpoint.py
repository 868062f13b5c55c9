"""State dicts in files of PyTorch's, read without PyTorch and without running their pickle.

``torch.save`` writes a zip archive, nothing in it compressed: NAME/data.pkl says which tensors
there are, and NAME/data/N are their numbers, bare. `torch.load` runs that pickle, of which
``weights_only`` allows a part; here no part runs.
"""

from dataclasses import dataclass

import numpy as np

from ae_multi.errors import InputError
from ae_multi.io import pickle_parser, zip_archive

_TYPES = {
    "FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "BFloat16Storage": "<u2",
    "LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "i1",
    "ByteStorage": "u1", "BoolStorage": "u1",
}  # fmt: skip
# Under what a checkpoint has the state dict, beside the epoch and the optimizer's.
_WITHIN = ("state_dict", "model_state_dict", "model")


@dataclass(frozen=True)
class _Storage:
    """Numbers in a row, in an entry of their own."""

    kind: str
    entry: str
    count: int


@dataclass(frozen=True)
class _Tensor:
    """Some of a storage's numbers, in a shape."""

    storage: _Storage
    offset: int
    shape: tuple
    strides: tuple


def read(path):
    """Dict of keys to NumPy arrays, in the file's order: bfloat16 as float32, others as they are.

    Args:
        path: a file of `torch.save`, of a state dict, or of a dict that has one under
            "state_dict", "model_state_dict" or "model".

    Raises:
        InputError: no such file; one that PyTorch wrote before version 1.6; a whole module, which
            is code; or what does not fit itself.
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
            raise InputError(f"Expected {what} to be a few names. Received: {heads[0]} is huge.")
        found = pickle_parser.parse(archive.read(heads[0]), _called, _stored, what)
        state = _state(found, what)
        return {key: _array(archive, folder, key, value, what) for key, value in state.items()}


def _called(name, arguments):
    """What the calls of a state dict stand for; no other call is known."""
    if name == "collections OrderedDict" and arguments == ():
        return {}
    if name == "torch._utils _rebuild_tensor_v2":
        storage, offset, shape, strides = arguments[:4]
        return _Tensor(storage, offset, shape, strides)
    if name == "torch._utils _rebuild_parameter":
        return arguments[0]
    raise ValueError(
        f"an object, made by {name!r:.80}; save a module's state_dict() instead of the whole module"
    )


def _stored(reference):
    word, kind, entry, _, count = reference
    if word != "storage" or not kind.text.startswith("torch "):
        raise ValueError(f"what refers to {word!r:.80}")
    return _Storage(kind.text.removeprefix("torch "), entry, count)


def _state(found, what):
    """The state dict, on its own or within a checkpoint."""
    for name in _WITHIN:
        if isinstance(found, dict) and isinstance(found.get(name), dict):
            found = found[name]
            break
    if not isinstance(found, dict) or not all(isinstance(v, _Tensor) for v in found.values()):
        raise InputError(f"Expected {what} to be a dict of tensors. Received: {_described(found)}.")
    return found


def _described(found):
    if not isinstance(found, dict):
        return f"a {type(found).__name__}"
    others = [str(key) for key, value in found.items() if not isinstance(value, _Tensor)]
    return f"a dict with {', '.join(others[:6])}"


def _array(archive, folder, key, tensor, what):
    """One tensor as an array; a view of its storage's numbers."""
    storage, shape, strides = tensor.storage, tensor.shape, tensor.strides
    known = isinstance(storage, _Storage) and storage.kind in _TYPES and _are_sizes(tensor)
    if not known or len(shape) != len(strides):
        raise InputError(f"Expected {key!r} in {what} to be a plain tensor. Received: another.")
    kind = np.dtype(_TYPES[storage.kind])
    content = archive.read(f"{folder}/data/{storage.entry}")
    last = tensor.offset + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    if len(content) != storage.count * kind.itemsize or (all(shape) and last >= storage.count):
        raise _unfit(key, what, shape, f"{len(content):,} bytes")
    numbers = np.frombuffer(content, kind)
    if storage.kind == "BFloat16Storage":  # the upper half of a float32
        numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
    try:
        if not all(shape):
            return np.empty(shape, numbers.dtype)
        steps = [stride * numbers.itemsize for stride in strides]
        begin = numbers[tensor.offset :]
        return np.lib.stride_tricks.as_strided(begin, shape, steps, writeable=False)
    except (ValueError, OverflowError, MemoryError) as error:  # of sizes that no array has
        raise _unfit(key, what, shape, error) from error


def _unfit(key, what, shape, received):
    return InputError(
        f"Expected {key!r} in {what} to have numbers for shape {shape!s:.80}. Received: {received}."
    )


def _are_sizes(tensor):
    return (
        isinstance(tensor.shape, tuple)
        and isinstance(tensor.strides, tuple)
        and all(
            type(size) is int and size >= 0
            for size in (tensor.offset, *tensor.shape, *tensor.strides)
        )
    )
