"""See what every layer of a model gives, whatever kind of model it is."""

import contextlib

from ae_multi._keras import keras


@contextlib.contextmanager
def watched_layers():
    """Collect each layer call inside the block, in the order in which the calls end.

    A layer inside another ends before it, so that the first entry that is wrong is the layer
    where the fault sits, not one that holds it. Watch eager calls: inside a compiled program
    there is nothing to see.

    Yields:
        A list that fills with (layer, inputs, outputs), both lists of NumPy arrays.
    """
    calls = []
    real = keras.Layer.__call__

    def watching(layer, *args, **kwargs):
        inputs = _arrays(args)  # before the call, which may change them in place
        outputs = real(layer, *args, **kwargs)
        if found := _arrays(outputs):
            calls.append((layer, inputs, found))
        return outputs

    keras.Layer.__call__ = watching
    try:
        yield calls
    finally:
        keras.Layer.__call__ = real


def _arrays(structure):
    """The tensors of a structure, as NumPy arrays."""
    tensors = [tensor for tensor in keras.tree.flatten(structure) if keras.ops.is_tensor(tensor)]
    return [keras.ops.convert_to_numpy(tensor) for tensor in tensors]
