"""Sources of array-like objects and of .npy files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ae_multi.data.source import Source
from ae_multi.errors import InputError


class ArraySource(Source):
    """Source of an object that is indexed like an array, such as an array of h5py or zarr.

    Args:
        array: object with ``shape``, ``dtype`` and ``array[ascending row numbers]``.
        block_size: see `Source`. By default it is the chunk of the object, if it has chunks.
    """

    def __init__(self, array: Any, block_size: int | None = None) -> None:
        if hasattr(array, "iloc"):  # its index is by label
            raise InputError(
                "Expected a file, a folder or an array-like object that is indexed by row number. "
                f"Received: a {type(array).__name__} of pandas; pass its to_numpy()."
            )
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


class SlicedSource(Source):
    """Adjacent rows of another source.

    Args:
        source: the source.
        begin: first row.
        end: row after the last one.
    """

    def __init__(self, source: Source, begin: int, end: int) -> None:
        super().__init__(
            source.name,
            (end - begin, *source.shape[1:]),
            source.dtype,
            source.files,
            source.block_size,
            source.has_random_access,
        )
        self._source, self._begin = source, begin

    def place(self, row: int) -> str:
        """Return the name of the file and the number of the row in it."""
        return self._source.place(row + self._begin)

    def _read(self, rows):
        return self._source[rows + self._begin]


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


def _map(path: Path) -> np.ndarray:
    """Return a read-only memory map of an .npy file; pickled objects are refused."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"Expected to be able to read {path}. Received: {reason}.") from error
    except (ValueError, EOFError) as error:
        # NumPy takes each file without its magic for a pickled one, and says how to unpickle it.
        is_other = "pickle" in str(error) or "Python objects" in str(error)
        reason = "pickled objects, or another kind of file" if is_other else str(error)
        raise InputError(
            f"Expected a complete .npy file of numbers. Received: {path} ({reason})."
        ) from error
    if not isinstance(array, np.ndarray) or array.ndim == 0:
        raise InputError(f"Expected an .npy file of samples. Received: {path}, a single value.")
    return array
