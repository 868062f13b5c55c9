"""Sources: samples that are read in pieces when they are needed, for data larger than memory."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self, TypeGuard

import numpy as np

from ae_multi._keras import keras
from ae_multi.errors import InputError

# Rows of the sample that is part of a fingerprint.
_FINGERPRINT_ROWS = 8
# Bytes of stored samples that are converted at once.
_CONVERTED_BYTES = 2**18


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
        if dtype.kind not in "iub" and not is_float(dtype):
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
            rows: slice, array of row numbers or of booleans, or one row number. Negative numbers
                count from the end, as in NumPy.

        Returns:
            Array of shape (rows, \*sample shape), or one sample.

        Raises:
            IndexError: there is no such row, or an index of another kind.
            InputError: a file that was changed or cannot be read, or a function of `map` that
                returns other samples than for the first row.
        """
        if isinstance(rows, int | np.integer):
            return self[np.array([rows])][0]
        rows = self._row_numbers(rows)
        self.check_unchanged()
        return self._converted(self._stored(rows), rows)

    def read_into(self, rows: np.ndarray, out: np.ndarray) -> None:
        """Read the rows with the numbers ``rows`` into ``out``, of their shape and dtype.

        Samples are converted in parts that fit in the cache of a processor.

        Raises:
            InputError: as for an index.
        """
        self.check_unchanged()
        stored = self._stored(rows)
        size = max(1, _CONVERTED_BYTES // max(1, stored[:1].nbytes))
        for begin in range(0, len(rows), size):
            part = slice(begin, begin + size)
            out[part] = self._converted(stored[part], rows[part])

    def map(self, function: Callable[[np.ndarray], Any]) -> Self:
        """Return a source whose samples are passed through ``function``.

        Args:
            function: function of an array of samples that returns as many samples. It is called by
                a thread that reads ahead.
        """
        mapped = copy.copy(self)
        mapped._functions = (*self._functions, function)
        mapped._is_described = False
        first = mapped[:1]
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

    def _row_numbers(self, rows: Any) -> np.ndarray:
        """Return the numbers of the rows that a slice or an array selects, none negative."""
        if isinstance(rows, slice):
            return np.arange(*rows.indices(len(self)), dtype=np.int64)
        numbers = np.asarray([] if isinstance(rows, tuple) else rows)
        if numbers.dtype == bool and numbers.shape == (len(self),):
            return np.flatnonzero(numbers)
        if isinstance(rows, list) and not rows:
            numbers = numbers.astype(np.int64)
        if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
            raise IndexError(
                "Expected a row number, a slice, or an array of row numbers or of "
                f"{len(self):,} booleans. Received: {rows!r}."
            )
        outside = numbers[(numbers < -len(self)) | (numbers >= len(self))]
        if len(outside):
            raise IndexError(
                f"Expected rows below {len(self):,} in {self.name}. Received: {outside[0]:,}."
            )
        return np.where(numbers < 0, numbers + len(self), numbers)

    def _stored(self, rows: np.ndarray) -> np.ndarray:
        """Return the stored rows with the numbers ``rows``."""
        if not len(rows):
            return np.empty((0, *self._stored_shape), self._stored_dtype)
        if (rows[1:] > rows[:-1]).all():
            return self._read(rows)
        # Rows in the order of the file are read several times faster from a disk.
        ascending, places = np.unique(rows, return_inverse=True)
        return np.take(self._read(ascending), places, axis=0)

    def _read(self, rows: np.ndarray) -> np.ndarray:
        """Return the stored rows with the ascending numbers ``rows``."""
        raise NotImplementedError

    def _describe(self, dtype: np.dtype, shape: tuple[int, ...]) -> None:
        self.dtype = _converted_dtype(dtype)
        self.shape: tuple[int, ...] = (self._samples, *shape)
        self.ndim = len(self.shape)
        self._is_described = True

    def _converted(self, stored: np.ndarray, rows: np.ndarray) -> np.ndarray:
        values = stored
        if self._functions and (not values.flags.writeable or values.base is not None):
            values = values.copy()  # a function may change its argument, but not the stored array
        for function in self._functions:
            try:
                values = np.asarray(function(values))
            except InputError as error:
                bad = _first_failure(function, values)
                raise InputError(f"{error} The sample is {self.place(int(rows[bad]))}.") from error
        if not self._functions:
            return np.ascontiguousarray(values, self.dtype)
        if values.dtype.kind not in "iub" and not is_float(values.dtype):
            raise InputError(
                f"Expected a function that returns numbers for samples of {self.name}. "
                f"Received: an array of {values.dtype}."
            )
        values = np.ascontiguousarray(values, _converted_dtype(values.dtype))
        shape = self.shape[1:] if self._is_described else values.shape[1:]
        if values.shape != (len(rows), *shape):
            raise InputError(
                f"Expected a function that returns an array of shape {(len(rows), *shape)} for "
                f"{len(rows):,} samples of {self.name}. Received: shape {values.shape}."
            )
        if self._is_described and values.dtype != self.dtype:
            raise InputError(
                f"Expected a function that returns {self.dtype}, as for the first sample of "
                f"{self.name}. Received: {values.dtype}."
            )
        return values


def is_source(x: Any) -> TypeGuard[Source]:
    """Return whether ``x`` is a `Source`."""
    return isinstance(x, Source)


def read_rows(array: Any, rows: np.ndarray, out: np.ndarray) -> None:
    """Read ``rows`` of an array or a source into ``out``."""
    if is_source(array):
        array.read_into(rows, out)
    else:
        out[:] = array[rows]


def has_sources(data: Any) -> bool:
    """Return whether a leaf of the nested ``data`` is a `Source`."""
    return any(map(is_source, keras.tree.flatten(data)))


def _stamp(path: Path) -> tuple[int, int]:
    """Return size and modification time of a file."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise InputError(
            f"Expected to be able to read {path}. Received: {error.strerror}."
        ) from error
    return status.st_size, status.st_mtime_ns


def is_float(dtype: np.dtype) -> bool:
    """Return whether ``dtype`` is one of floating-point numbers, also bfloat16."""
    return dtype.name.startswith(("float", "bfloat"))


def _converted_dtype(dtype: np.dtype) -> np.dtype:
    """Return the dtype in which samples are returned, the one to which Keras converts them."""
    return np.dtype(keras.config.floatx()) if is_float(dtype) else dtype.newbyteorder("=")


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
