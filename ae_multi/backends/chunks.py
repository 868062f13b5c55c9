"""A whole array through a program that takes a part at a time."""

import numpy as np

from ae_multi._keras import keras


def as_numpy(tensor):
    """A tensor's numbers for NumPy, where they lie if it can look at them there.

    Keras's own always copies them, into memory that is fresh each time.
    """
    if hasattr(tensor, "__array__"):
        try:
            return np.asarray(tensor)
        except TypeError:  # PyTorch's, on another device or of a type that NumPy has not
            pass
    return keras.ops.convert_to_numpy(tensor)


def in_chunks(run, x, size, told=None, fetch=as_numpy):
    """Outputs of ``run`` for all of ``x``, as NumPy arrays in the structure of its outputs.

    They are written into arrays made once, so that memory is touched once; the next part is
    handed over before the one before is fetched, so that a device has work meanwhile.

    Args:
        run: function of a part of ``x`` that returns tensors, perhaps before they are computed.
        x: nested arrays of n samples each.
        size: samples in a part; the last may be smaller.
        told: function that is called with the number of parts that are done, after each.
        fetch: function of a tensor that returns its numbers for NumPy, good until the next call.
    """
    samples = len(keras.tree.flatten(x)[0])
    whole, before = [], None
    for place, begin in enumerate(range(0, samples + size, size)):
        outputs = None
        if begin < samples:
            part = keras.tree.map_structure(lambda a, b=begin: a[b : b + size], x)
            outputs = run(part)
        if before is not None:
            for output, tensor in enumerate(keras.tree.flatten(before)):
                piece = fetch(tensor)
                if output == len(whole):
                    whole.append(np.empty((samples, *piece.shape[1:]), piece.dtype))
                whole[output][begin - size : begin - size + len(piece)] = piece
            structure = before
            if told is not None:
                told(place)
        before = outputs
    return keras.tree.pack_sequence_as(structure, whole)
