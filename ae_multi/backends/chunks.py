"""A whole array through a program that takes a part at a time."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from ae_multi._keras import keras


def as_numpy(tensor):
    """A tensor's numbers for NumPy, where they lie if it can look at them there.

    Keras's own always copies them, into memory that is fresh each time.
    """
    if hasattr(tensor, "__array__"):
        try:
            return np.asarray(tensor)
        except (TypeError, RuntimeError):
            pass  # PyTorch's, on another device, of a type that NumPy has not, or with a gradient
        except ValueError:  # a single number of TensorFlow's of type bfloat16
            return keras.ops.convert_to_numpy(keras.ops.reshape(tensor, (1,))).reshape(())
    return keras.ops.convert_to_numpy(tensor)


def two_threads(begin=None):
    """A pool of two threads for `in_chunks`, each of which calls ``begin()`` first.

    On a processor a framework does a part of the work by one thread, copies and conversions among
    it. Two parts at once keep a second core busy meanwhile.
    """
    return ThreadPoolExecutor(2, "ae_multi", begin)


def in_chunks(run, x, size, on_progress=None, fetch=as_numpy, pool=None):
    """Outputs of ``run`` for all of ``x``, as NumPy arrays in the structure of its outputs.

    They are written into arrays made once, so that memory is touched once.

    Args:
        run: function of a part of ``x`` that returns tensors, perhaps before they are computed.
        x: nested arrays of n samples each.
        size: samples in a part; the last may be smaller.
        on_progress: function that is called with the number of parts that are done, after each.
        fetch: function of a tensor that returns its numbers for NumPy, good until the next call.
        pool: None, or a `concurrent.futures.Executor` whose threads compute, fetch and write
            parts each on its own: all but the first, for which ``run`` may have to be compiled,
            and a smaller last one.
    """
    samples = len(keras.tree.flatten(x)[0])
    whole = []

    def started(begin):
        return run(keras.tree.map_structure(lambda a: a[begin : begin + size], x))

    def written(begin, outputs):
        for output, tensor in enumerate(keras.tree.flatten(outputs)):
            piece = fetch(tensor)
            if output == len(whole):
                whole.append(np.empty((samples, *piece.shape[1:]), piece.dtype))
            whole[output][begin : begin + len(piece)] = piece
        return outputs

    def one_by_one(begins):
        before = None
        for begin in begins:
            # The next is handed over before the one before is fetched: a device has work then.
            handed = begin, started(begin)
            if before is not None:
                yield written(*before)
            before = handed
        if before is not None:
            yield written(*before)

    def side_by_side(begins):
        last = max(1, samples // size)
        yield from one_by_one(begins[:1])
        yield from pool.map(lambda begin: written(begin, started(begin)), begins[1:last])
        yield from one_by_one(begins[last:])

    parts = one_by_one if pool is None else side_by_side
    for count, outputs in enumerate(parts(range(0, samples, size)), 1):
        structure = outputs
        if on_progress is not None:
            on_progress(count)
    return keras.tree.pack_sequence_as(structure, whole)
