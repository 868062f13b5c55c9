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
        A list that fills with (layer, outputs), outputs being a list of NumPy arrays.
    """
    calls = []
    real = keras.Layer.__call__

    def watching(layer, *args, **kwargs):
        outputs = real(layer, *args, **kwargs)
        tensors = [t for t in keras.tree.flatten(outputs) if keras.ops.is_tensor(t)]
        if tensors:
            calls.append((layer, [keras.ops.convert_to_numpy(tensor) for tensor in tensors]))
        return outputs

    keras.Layer.__call__ = watching
    try:
        yield calls
    finally:
        keras.Layer.__call__ = real
