"""Outputs of a model for sources, or into a file: computed one chunk at a time."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from os import PathLike
from typing import Any

import numpy as np

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi.data.arrays import length, rows, unique_arrays
from ae_multi.errors import InputError
from ae_multi.io.atomic import atomic_write, check_writable

# Size of the samples in one chunk, in bytes.
_CHUNK_BYTES = 2**26


def predict_chunks(
    model: keras.Model | keras.layers.Layer,
    data: Any,
    batch_size: int,
    on_progress: Callable[[int], None] | None = None,
    out: PathLike[str] | str | None = None,
) -> Any:
    """Return the outputs of ``model`` for ``data``; a thread reads each chunk in advance.

    Args:
        model: a model or a layer.
        data: nested arrays and sources of n samples each.
        batch_size: samples that are computed at once.
        on_progress: function that is called with the number of finished batches, or None.
        out: .npy file to write the outputs to, or None to return them in memory. Half-precision
            outputs are written as float32.

    Returns:
        NumPy arrays in the structure of the model's outputs; with ``out`` a read-only memory map
        of the file.

    Raises:
        InputError: a file that cannot be written, or ``out`` with several outputs.
    """
    computed = _chunks(model, data, batch_size, on_progress)
    if out is None:
        chunks = list(computed)
        parts = zip(*map(keras.tree.flatten, chunks), strict=True)
        arrays = [np.concatenate(part) for part in parts]
        return keras.tree.pack_sequence_as(chunks[0], arrays)
    if not str(out).endswith(".npy"):
        raise InputError(f"Expected out to be an .npy file. Received: {out}.")
    check_writable(out, "the outputs")
    with atomic_write(out) as path:
        _write(path, computed, length(data))
    return np.load(out, mmap_mode="r", allow_pickle=False)


def _chunks(
    model: keras.Model | keras.layers.Layer,
    data: Any,
    batch_size: int,
    on_progress: Callable[[int], None] | None,
) -> Iterator[Any]:
    samples = length(data)
    size = sum(array[:1].nbytes for array in unique_arrays(data)) * batch_size
    chunk = max(1, _CHUNK_BYTES // size) * batch_size
    begins = range(0, samples, chunk)
    with ThreadPoolExecutor(1, "ae_multi reads ahead") as reader:
        following = reader.submit(rows, data, slice(chunk))
        for begin in begins:
            part = following.result()
            following = reader.submit(rows, data, slice(begin + chunk, begin + 2 * chunk))
            yield backends.current().forward(model, part, batch_size)
            if on_progress is not None:
                on_progress(-(-min(begin + chunk, samples) // batch_size))


def _write(path: Any, chunks: Iterator[Any], samples: int) -> None:
    """Write the outputs of all chunks as one array to an .npy file."""
    begin = 0
    array: Any = None
    for outputs in chunks:
        if keras.tree.is_nested(outputs):
            raise InputError("Expected a model of one output with out. Received: several outputs.")
        half = outputs.dtype.name in ("bfloat16", "float16")
        if array is None:
            dtype = np.dtype(np.float32) if half else outputs.dtype
            shape = (samples, *outputs.shape[1:])
            array = np.lib.format.open_memmap(path, "w+", dtype, shape)
        array[begin : begin + len(outputs)] = outputs
        begin += len(outputs)
    array.flush()
