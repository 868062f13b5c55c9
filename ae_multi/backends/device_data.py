"""Training data on the device, and a cache of the programs that are built for each model."""

import math
import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from ae_multi._keras import keras
from ae_multi._keras_internals import loss_tracker

# One program is built at a time: PyTorch replaces global functions while it traces a step.
BUILDING = threading.RLock()
# Bytes to which the memory of an array must be aligned for JAX to share it on a CPU.
_ALIGNMENT = 64


class DeviceData:
    """Arrays of (x, y, sample_weight) on the device, without duplicates.

    The target of an autoencoder is its input. Such an array is stored once, and each step gathers
    its batch once. Samples with several axes are stored as the rows of a matrix: XLA copies rows of
    a matrix as blocks, and gathers samples with more axes element by element.

    Args:
        data: (x, y, sample_weight), nested tuples, lists or dicts of arrays or None, with n
            samples in each array.
        put: function that returns an array on the device in its dtype.
        copy: function of (array on the device, other) that overwrites the first by the second, if
            programs read the arrays at fixed addresses; None if they take them as arguments.

    Attributes:
        arrays: list of the arrays on the device, of shape (n, ...) with at most 2 axes.
    """

    def __init__(
        self,
        data: Sequence[Any],
        put: Callable[[np.ndarray], Any],
        copy: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        self._copy = copy
        unique: dict[int, tuple[int, np.ndarray]] = {}
        # A step receives its batch as Keras's `fit` packs it: x, (x,), (x, y) or (x, y, weights).
        data = keras.utils.pack_x_y_sample_weight(*data)

        def index_of(array: np.ndarray | None) -> int | None:
            return None if array is None else unique.setdefault(id(array), (len(unique), array))[0]

        self._indices = keras.tree.map_structure(index_of, data)
        self._shapes = [tuple(array.shape[1:]) for _, array in unique.values()]
        self.arrays = [put(as_rows(array)) for _, array in unique.values()]

    def assemble(self, parts: Sequence[Any]) -> Any:
        """Return a batch in the structure that Keras packs.

        Args:
            parts: the samples of the batch from each of `arrays`, in the order of `arrays`.
        """
        parts = [
            part if len(shape) < 2 else keras.ops.reshape(part, (-1, *shape))
            for part, shape in zip(parts, self._shapes, strict=True)
        ]
        return keras.tree.map_structure(
            lambda index: None if index is None else parts[index], self._indices
        )

    def replace(self, other: "DeviceData") -> None:
        """Replace the arrays by those of ``other``, which have the same shapes and dtypes."""
        if self._copy is None:
            self.arrays[:] = other.arrays
            return
        for array, new in zip(self.arrays, other.arrays, strict=True):
            self._copy(array, new)

    @property
    def signature(self) -> str:
        """Structure, dtypes and sample shapes of the data, on which a program depends."""
        types = [str(array.dtype) for array in self.arrays]
        return repr((self._indices, types, self._shapes))


def aligned_zeros(shape: Sequence[int], dtype: Any) -> np.ndarray:
    """Return an array of zeros whose memory JAX shares on a CPU."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.zeros(size + _ALIGNMENT, np.uint8)
    begin = -memory.ctypes.data % _ALIGNMENT
    return memory[begin : begin + size].view(dtype).reshape(shape)


def as_rows(array: Any) -> Any:
    """Flatten samples with more than one axis; return an array of at most 2 axes."""
    return array if array.ndim < 3 else array.reshape(len(array), -1)


def signature(x: Any) -> str:
    """Return the structure, dtypes and shapes of nested arrays, on which a program depends."""
    return repr(keras.tree.map_structure(lambda array: (str(array.dtype), array.shape), x))


def flat(logs: dict[str, Any]) -> dict[str, Any]:
    """Flatten the logs of a step as Keras does: the items of a nested dict replace the dict."""
    result: dict[str, Any] = {}
    for name, value in logs.items():
        result |= flat(value) if isinstance(value, dict) else {name: value}
    return result


class _Programs:
    """The programs of one model, and the objects that they are valid for."""

    def __init__(self, built_for: tuple[Any, ...]) -> None:
        self.built_for = built_for
        self.made: dict[Hashable, Any] = {}


def cached(model: keras.Model, key: Hashable, make: Callable[[], Any]) -> Any:
    """Return the program of ``model`` under ``key``; build it by ``make()`` if it is missing.

    Only one thread builds at a time. Programs are discarded when the model is compiled again or
    its trainable weights change. They are stored in the model's `__dict__`, where Keras does not
    track them, and are deleted with the model.
    """
    # Each `compile` creates a new loss tracker, which therefore identifies its settings.
    built_for = (loss_tracker(model), *model.trainable_variables)
    programs = vars(model).get("_ae_multi_programs")
    if programs is None or not _same(programs.built_for, built_for) or key not in programs.made:
        with BUILDING:
            return _built(model, key, make, built_for)
    return programs.made[key]


def known(model: keras.Model) -> set[Hashable]:
    """Return the keys of all programs of ``model``."""
    programs = vars(model).get("_ae_multi_programs")
    return set() if programs is None else set(programs.made)


def forget(model: keras.Model, keys: Iterable[Hashable]) -> None:
    """Delete the programs of ``model`` under ``keys``."""
    with BUILDING:
        for key in known(model) & set(keys):
            del vars(model)["_ae_multi_programs"].made[key]


def _built(
    model: keras.Model, key: Hashable, make: Callable[[], Any], built_for: tuple[Any, ...]
) -> Any:
    programs = vars(model).get("_ae_multi_programs")
    if programs is None or not _same(programs.built_for, built_for):
        programs = vars(model)["_ae_multi_programs"] = _Programs(built_for)
    if key not in programs.made:
        programs.made[key] = make()
    return programs.made[key]


def _same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))
