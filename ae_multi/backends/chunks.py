"""Run a program on all of an array, one chunk at a time."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import numpy as np

from ae_multi._keras import keras


def as_numpy(tensor: Any) -> np.ndarray:
    """Convert a tensor to a NumPy array, without a copy where possible.

    Keras's conversion always copies, into newly allocated memory.
    """
    if hasattr(tensor, "__array__"):
        try:
            return np.asarray(tensor)
        except (TypeError, RuntimeError):
            pass  # PyTorch: on another device, of a dtype that NumPy lacks, or with a gradient
        except ValueError:  # TensorFlow: a scalar of dtype bfloat16
            return keras.ops.convert_to_numpy(keras.ops.reshape(tensor, (1,))).reshape(())
    return keras.ops.convert_to_numpy(tensor)


def two_threads(begin: Callable[[], Any] | None = None) -> ThreadPoolExecutor:
    """Return a pool of two threads for `in_chunks`; each thread calls ``begin()`` first.

    On a CPU a framework runs some operations on one thread, among them copies and conversions.
    Two chunks at once keep a second core busy during these.
    """
    return ThreadPoolExecutor(2, "ae_multi", begin)


def in_chunks(
    run: Callable[[Any], Any],
    x: Any,
    size: int,
    on_progress: Callable[[int], Any] | None = None,
    fetch: Callable[[Any], np.ndarray] = as_numpy,
    pool: Executor | None = None,
) -> Any:
    """Return the outputs of ``run`` for all of ``x``, as NumPy arrays in their structure.

    Outputs are written into preallocated arrays, so that memory is touched once.

    Args:
        run: function of a chunk of ``x`` that returns tensors, possibly before they are computed.
        x: nested arrays of n samples each.
        size: samples in a chunk; the last chunk may be smaller.
        on_progress: function that is called after each chunk with the number of finished chunks.
        fetch: function of a tensor that returns its values as a NumPy array, which is valid until
            the next call.
        pool: executor whose threads compute, fetch and write one chunk each. The first chunk, for
            which ``run`` may have to be compiled, and a smaller last chunk run in the calling
            thread. None runs all chunks in the calling thread.
    """
    samples = len(keras.tree.flatten(x)[0])
    arrays: list[np.ndarray] = []

    def start(begin: int) -> Any:
        return run(keras.tree.map_structure(lambda a: a[begin : begin + size], x))

    def write(begin: int, outputs: Any) -> Any:
        for output, tensor in enumerate(keras.tree.flatten(outputs)):
            chunk = fetch(tensor)
            if output == len(arrays):
                arrays.append(np.empty((samples, *chunk.shape[1:]), chunk.dtype))
            arrays[output][begin : begin + len(chunk)] = chunk
        return outputs

    def one_by_one(begins: range) -> Iterator[Any]:
        previous = None
        for begin in begins:
            # Each chunk is started before the previous one is fetched, to keep the device busy.
            current = begin, start(begin)
            if previous is not None:
                yield write(*previous)
            previous = current
        if previous is not None:
            yield write(*previous)

    def side_by_side(begins: range) -> Iterator[Any]:
        assert pool is not None
        last = max(1, samples // size)
        yield from one_by_one(begins[:1])
        yield from pool.map(lambda begin: write(begin, start(begin)), begins[1:last])
        yield from one_by_one(begins[last:])

    chunks = one_by_one if pool is None else side_by_side
    for count, outputs in enumerate(chunks(range(0, samples, size)), 1):
        structure = outputs
        if on_progress is not None:
            on_progress(count)
    return keras.tree.pack_sequence_as(structure, arrays)
