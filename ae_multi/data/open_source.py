"""The function `source`, and sources of Parquet files and of folders of images."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ae_multi.argument_checks import check_positive
from ae_multi.data.array_sources import ArraySource, NpyFiles
from ae_multi.data.source import Source
from ae_multi.errors import InputError

_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


def source(
    data: Any,
    *,
    columns: Sequence[str] | None = None,
    transform: Callable[[np.ndarray], Any] | None = None,
    block_size: int | None = None,
) -> Source:
    """Open samples that are read in pieces, for data larger than memory.

    The result takes the place of an array in `ae_multi.fit`, `evaluate` and `predict`, and in the
    methods ``fit``, ``evaluate``, ``encode`` and ``reconstruct`` of the models.

    Args:
        data: an .npy file; a .parquet file; a folder of .npy files, of .parquet files or of images
            of one size, which follow each other in the order of their names; or an object with
            ``shape``, ``dtype`` and indexing by ascending row numbers, such as an array of h5py or
            zarr.
        columns: names of the columns of Parquet files to read, or None for all.
        transform: function of an array of samples that returns as many samples, such as
            ``lambda x: x / 255``. It is called by a thread that reads ahead.
        block_size: number of adjacent rows that ``order="blocks"`` of `ae_multi.fit` keeps
            together. By default the rows of a group of a Parquet file, the chunk of an array that
            has chunks, otherwise a number that suits the window.

    Returns:
        A `Source`.

    Raises:
        InputError: a file that cannot be read, files of different shapes, or no samples.
    """
    check_positive(block_size=block_size)
    opened = _open(data, columns, block_size)
    return opened if transform is None else opened.map(transform)


def _open(data: Any, columns: Sequence[str] | None, block_size: int | None) -> Source:
    if isinstance(data, Source):
        return data
    if not isinstance(data, str | os.PathLike):
        if all(hasattr(data, name) for name in ("shape", "dtype", "__getitem__")):
            return ArraySource(data, block_size)
        raise InputError(
            "Expected a file, a folder or an array-like object. "
            f"Received: an object of {type(data).__name__}."
        )
    path = Path(data)
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.is_file())
        for suffixes in ((".npy",), (".parquet",), _IMAGE_SUFFIXES):
            found = [each for each in files if each.suffix.lower() in suffixes]
            if found:
                return _of_files(found, path.name, columns, block_size)
        raise InputError(
            f"Expected .npy files, .parquet files or images in {path}. "
            f"Received: {len(files)} other files."
        )
    if path.suffix.lower() not in (".npy", ".parquet"):
        raise InputError(f"Expected an .npy or .parquet file or a folder. Received: {path}.")
    return _of_files([path], path.name, columns, block_size)


def _of_files(
    paths: list[Path], name: str, columns: Sequence[str] | None, block_size: int | None
) -> Source:
    suffix = paths[0].suffix.lower()
    if suffix == ".parquet":
        return ParquetFiles(paths, name, columns, block_size)
    if columns is not None:
        raise InputError(f"Expected columns with .parquet files only. Received: {paths[0]}.")
    if suffix == ".npy":
        return NpyFiles(paths, name, block_size)
    return ImageFiles(paths, name, block_size)


class ParquetFiles(Source):
    """Source of the rows of one or more Parquet files: float32 or float64 (n, columns).

    Args:
        paths: the files, with the same columns of numbers.
        name: name for messages.
        columns: names of the columns to read, or None for all.
        block_size: see `Source`. By default the number of rows of the first group of rows.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        name: str,
        columns: Sequence[str] | None = None,
        block_size: int | None = None,
    ) -> None:
        self._groups: list[tuple[int, int]] = []  # file, group in the file
        sizes = []
        for number, path in enumerate(paths):
            metadata = _parquet(path).metadata
            for group in range(metadata.num_row_groups):
                self._groups.append((number, group))
                sizes.append(metadata.row_group(group).num_rows)
        if isinstance(columns, str):
            raise InputError(f"Expected a list of names of columns. Received: {columns!r}.")
        self.columns = list(_parquet(paths[0]).schema_arrow.names if columns is None else columns)
        types = [dtype for path in paths for dtype in _column_dtypes(path, self.columns)]
        self._paths = list(paths)
        self._begins = np.cumsum([0, *sizes])
        shape = (int(self._begins[-1]), len(self.columns))
        largest = block_size or max(sizes, default=1)
        dtype = np.result_type(*types, np.float32)
        super().__init__(name, shape, dtype, paths, largest, has_random_access=False)

    def _read(self, rows):
        first, last = np.searchsorted(self._begins, [rows[0], rows[-1]], "right") - 1
        parts = []
        for place in range(first, last + 1):
            begin, end = np.searchsorted(rows, self._begins[place : place + 2])
            if begin == end:
                continue
            number, group = self._groups[place]
            table = _parquet(self._paths[number]).read_row_group(group, columns=self.columns)
            chosen = table.take(rows[begin:end] - self._begins[place])
            # A column with missing values may be of objects; each None becomes NaN.
            arrays = [chosen[name].to_numpy().astype(self._stored_dtype) for name in self.columns]
            parts.append(np.column_stack(arrays))
        return np.concatenate(parts)


class ImageFiles(Source):
    """Source of images of one size: uint8 (n, height, width, channels).

    Args:
        paths: the files, grey or RGB images.
        name: name for messages.
        block_size: see `Source`.
    """

    def __init__(self, paths: Sequence[Path], name: str, block_size: int | None = None) -> None:
        shape = _image(paths[0]).shape
        super().__init__(name, (len(paths), *shape), np.uint8, paths, block_size)

    def place(self, row: int) -> str:
        """Return the path of the image."""
        return str(self.files[row])

    def check_unchanged(self) -> None:
        """Do nothing: an image that has another size now is found when it is read."""

    def _read(self, rows):
        images = np.empty((len(rows), *self._stored_shape), np.uint8)
        for image, row in zip(images, rows, strict=True):
            pixels = _image(self.files[row])
            if pixels.shape != image.shape:
                raise InputError(
                    f"Expected {self.files[row]} to be an image of shape {image.shape}, as "
                    f"{self.files[0].name} is. Received: {pixels.shape}."
                )
            image[:] = pixels
        return images


def _image(path: Path) -> np.ndarray:
    from PIL import Image  # a dependency of Matplotlib

    try:
        with Image.open(path) as file:
            if file.mode.startswith(("I", "F")):
                raise InputError(
                    "Expected an image of 8 bits for each channel. "
                    f"Received: {path} of more bits; save such images as an .npy file."
                )
            grey = file.mode in ("1", "L", "LA")
            pixels = np.asarray(file.convert("L" if grey else "RGB"))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"Expected an image. Received: {path} ({error}).") from error
    return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels


def _column_dtypes(path: Path, columns: Sequence[str]) -> list[np.dtype]:
    """Return the dtypes of columns of numbers in a Parquet file."""
    from pyarrow import types

    schema = _parquet(path).schema_arrow
    missing = [column for column in columns if column not in schema.names]
    if missing or not columns:
        raise InputError(
            f"Expected columns of {path}, {', '.join(schema.names)}. "
            f"Received: {', '.join(missing) or 'none'}."
        )
    dtypes = []
    for column in columns:
        kind = schema.field(column).type
        if not (types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)):
            raise InputError(
                f"Expected columns of numbers in {path}. Received: {column!r} of {kind}; choose "
                "others by columns=[...]."
            )
        dtypes.append(np.dtype(kind.to_pandas_dtype()))
    return dtypes


def _parquet(path: Path) -> Any:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise InputError(
            "Expected the package pyarrow, which reads .parquet files. "
            "Received: none; install it: pip install pyarrow."
        ) from error
    try:
        return parquet.ParquetFile(path)
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise InputError(
            f"Expected a complete Parquet file. Received: {path} ({error})."
        ) from error
