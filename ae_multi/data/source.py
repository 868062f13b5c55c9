"""Sources: samples that are read in pieces when they are needed, for data larger than memory."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from ae_multi._keras import keras
from ae_multi.errors import InputError

# Rows of the sample that is part of a fingerprint.
_FINGERPRINT_ROWS = 8


class Source:
    r"""Samples that are read in pieces.

    A source has the attributes of an array that `fit`, `evaluate` and `predict` use. Subclasses
    define `_read`.

    Args:
        name: name for messages.
        shape: shape of the stored array, (n, \*sample shape).
        dtype: dtype of the stored array.
        files: the files that the samples are read from.
        block_size: number of adjacent rows that are stored together, or None for any.
        has_random_access: whether single rows are read about as fast as adjacent rows.

    Attributes:
        shape: shape of the samples as they are returned, (n, \*sample shape).
        dtype: their NumPy dtype; floating-point numbers are returned as `keras.config.floatx()`.
        ndim: number of axes.
        name, block_size, has_random_access: the arguments.
    """

    def __init__(
        self,
        name: str,
        shape: Sequence[int],
        dtype: Any,
        files: Sequence[Path] = (),
        block_size: int | None = None,
        has_random_access: bool = True,
    ) -> None:
        dtype = np.dtype(dtype)
        if not shape or not shape[0]:
            raise InputError(f"Expected samples in {name}. Received: none.")
        if dtype.kind not in "iubf" and dtype.name != "bfloat16":
            raise InputError(f"Expected numbers in {name}. Received: an array of {dtype}.")
        self.name, self.files = name, tuple(files)
        self.block_size, self.has_random_access = block_size, has_random_access
        self._functions: tuple[Callable[[np.ndarray], Any], ...] = ()
        self._stamps = [_stamp(path) for path in self.files]
        self._stored_dtype = dtype
        self._samples, self._stored_shape = int(shape[0]), tuple(map(int, shape[1:]))
        self._describe(dtype, self._stored_shape)

    def __len__(self) -> int:
        return self._samples

    def __getitem__(self, rows: Any) -> np.ndarray:
        r"""Return rows in their order.

        Args:
            rows: slice, array of row numbers, or one row number.

        Returns:
            Array of shape (rows, \*sample shape), or one sample.
        """
        if isinstance(rows, int | np.integer):
            return self[np.array([rows])][0]
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)), dtype=np.int64)
        rows = np.asarray(rows)
        return self._converted(self._stored(rows), rows)

    def map(self, function: Callable[[np.ndarray], Any]) -> Self:
        """Return a source whose samples are passed through ``function``.

        Args:
            function: function of an array of samples that returns as many samples. It is called by
                a thread that reads ahead.
        """
        mapped = copy.copy(self)
        mapped._functions = (*self._functions, function)
        first = mapped[:1]
        if len(first) != 1:
            raise InputError(
                "Expected a function that returns as many samples as it is given. "
                f"Received: {len(first)} for 1."
            )
        mapped._describe(first.dtype, first.shape[1:])
        return mapped

    def check_unchanged(self) -> None:
        """Raise `InputError` if a file is missing or has another size or time than before."""
        for path, before in zip(self.files, self._stamps, strict=True):
            now = _stamp(path)
            if now != before:
                raise InputError(
                    f"Expected {path} to stay unchanged while it is read. "
                    f"Received: a file of {now[0]:,} bytes that was changed after it was opened, "
                    f"when it had {before[0]:,} bytes."
                )

    def fingerprint(self) -> str:
        """Return a digest of the names, sizes and times of the files and of some of the rows."""
        rows = np.unique(np.linspace(0, len(self) - 1, _FINGERPRINT_ROWS).astype(np.int64))
        names = [path.name for path in self.files]
        facts = json.dumps([names, self._stamps, self.shape, self.dtype.name])
        return hashlib.sha256(facts.encode() + self[rows].tobytes()).hexdigest()

    def place(self, row: int) -> str:
        """Return the name of the file and the number of the row in it, for messages."""
        return f"{self.name}, row {row:,}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, shape={self.shape}, dtype={self.dtype})"

    def _stored(self, rows: np.ndarray) -> np.ndarray:
        """Return the stored rows with the numbers ``rows``."""
        if not len(rows):
            return np.empty((0, *self._stored_shape), self._stored_dtype)
        # Rows in the order of the file are read several times faster from a disk.
        order = np.argsort(rows, kind="stable")
        ordered = self._read(rows[order])
        if (order[1:] > order[:-1]).all():
            return ordered
        places = np.empty_like(order)
        places[order] = np.arange(len(order))
        return np.take(ordered, places, axis=0)

    def _read(self, rows: np.ndarray) -> np.ndarray:
        """Return the stored rows with the ascending numbers ``rows``."""
        raise NotImplementedError

    def _describe(self, dtype: np.dtype, shape: tuple[int, ...]) -> None:
        self.dtype = _converted_dtype(dtype)
        self.shape: tuple[int, ...] = (self._samples, *shape)
        self.ndim = len(self.shape)

    def _converted(self, stored: np.ndarray, rows: np.ndarray) -> np.ndarray:
        values = stored
        for function in self._functions:
            try:
                values = np.asarray(function(values))
            except InputError as error:
                bad = _first_failure(function, values)
                raise InputError(f"{error} The sample is {self.place(int(rows[bad]))}.") from error
        return np.ascontiguousarray(values, _converted_dtype(values.dtype))


class ArraySource(Source):
    """Source of an object that is indexed like an array, such as an array of h5py or zarr.

    Args:
        array: object with ``shape``, ``dtype`` and ``array[ascending row numbers]``.
        block_size: see `Source`. By default it is the chunk of the object, if it has chunks.
    """

    def __init__(self, array: Any, block_size: int | None = None) -> None:
        chunks = getattr(array, "chunks", None)
        super().__init__(
            type(array).__name__,
            array.shape,
            array.dtype,
            block_size=block_size or (chunks[0] if chunks else None),
            has_random_access=not chunks,
        )
        self._array = array

    def _read(self, rows):
        if rows[-1] - rows[0] + 1 == len(rows):
            return np.asarray(self._array[int(rows[0]) : int(rows[-1]) + 1])
        return np.asarray(self._array[rows])


class NpyFiles(Source):
    """Source of one or more .npy files, whose rows follow each other.

    Each read maps a file anew, so that the pages that were read do not add up in memory.

    Args:
        paths: the files, arrays of numbers with equal dtypes and sample shapes.
        name: name for messages.
        block_size: see `Source`.
    """

    def __init__(self, paths: Sequence[Path], name: str, block_size: int | None = None) -> None:
        maps = [_map(path) for path in paths]
        for path, each in zip(paths, maps, strict=True):
            if each.dtype != maps[0].dtype or each.shape[1:] != maps[0].shape[1:]:
                raise InputError(
                    f"Expected {path} to have samples of {maps[0].dtype} and of shape "
                    f"{maps[0].shape[1:]}, as {paths[0].name} has. "
                    f"Received: {each.dtype}, {each.shape[1:]}."
                )
        self._begins = np.cumsum([0, *(len(each) for each in maps)])
        shape = (int(self._begins[-1]), *maps[0].shape[1:])
        super().__init__(name, shape, maps[0].dtype, paths, block_size)

    def place(self, row: int) -> str:
        """Return the name of the file and the number of the row in it."""
        number = int(np.searchsorted(self._begins, row, "right")) - 1
        return f"{self.files[number].name}, row {row - int(self._begins[number]):,}"

    def _read(self, rows):
        first, last = np.searchsorted(self._begins, [rows[0], rows[-1]], "right") - 1
        parts = []
        for number in range(first, last + 1):
            begin, end = np.searchsorted(rows, self._begins[number : number + 2])
            if begin < end:
                parts.append(_map(self.files[number])[rows[begin:end] - self._begins[number]])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def is_source(x: Any) -> bool:
    """Return whether ``x`` is a `Source`."""
    return isinstance(x, Source)


def has_sources(data: Any) -> bool:
    """Return whether a leaf of the nested ``data`` is a `Source`."""
    return any(map(is_source, keras.tree.flatten(data)))


def _map(path: Path) -> np.ndarray:
    """Return a read-only memory map of an .npy file; pickled objects are refused."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"Expected to be able to read {path}. Received: {reason}.") from error
    except (ValueError, EOFError) as error:
        raise InputError(
            f"Expected a complete .npy file of numbers. Received: {path} ({error})."
        ) from error
    if not isinstance(array, np.ndarray) or array.ndim == 0:
        raise InputError(f"Expected an .npy file of samples. Received: {path}, a single value.")
    return array


def _stamp(path: Path) -> tuple[int, int]:
    """Return size and modification time of a file."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise InputError(
            f"Expected to be able to read {path}. Received: {error.strerror}."
        ) from error
    return status.st_size, status.st_mtime_ns


def _converted_dtype(dtype: np.dtype) -> np.dtype:
    """Return the dtype in which samples are returned, the one to which Keras converts them."""
    is_float = dtype.name.startswith(("float", "bfloat"))
    return np.dtype(keras.config.floatx()) if is_float else dtype.newbyteorder("=")


def _first_failure(function: Callable[[np.ndarray], Any], values: np.ndarray) -> int:
    """Return the index of the first of ``values`` for which ``function`` raises `InputError`."""
    low, high = 0, len(values)  # the first failure is in this range
    while high - low > 1:
        middle = (low + high) // 2
        try:
            function(values[low:middle])
        except InputError:
            high = middle
        else:
            low = middle
    return low
