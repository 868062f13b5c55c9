"""See what every layer of a model gives and draws, whatever kind of model it is."""

import contextlib

from ae_multi._keras import keras
from ae_multi._keras_internals import control_flow_functions
from ae_multi.randomness import noise


@contextlib.contextmanager
def watched_layers():
    """Collect each layer call inside the block, in the order in which the calls end.

    A layer inside another ends before it, so that the first entry that is wrong is the layer
    where the fault sits, not one that holds it. Watch eager calls: inside a compiled program
    there is nothing to see, and inside a loop or branch of `keras.ops` nothing is looked at.

    Yields:
        (calls, draws), lists that fill with (layer, inputs, outputs), of which the last two are
        lists of NumPy arrays, and with (layer, bits), the random bits that a layer asked for.
    """
    calls, draws, inside, hidden = [], [], [], []
    real_call, real_bits = keras.Layer.__call__, noise.bits

    def watching(layer, *args, **kwargs):
        if hidden:
            return real_call(layer, *args, **kwargs)
        inputs = _arrays(args)  # before the call, which may change them in place
        inside.append(layer)
        try:
            outputs = real_call(layer, *args, **kwargs)
        finally:
            inside.pop()
        if found := _arrays(outputs):
            calls.append((layer, inputs, found))
        return outputs

    def drawing(*args, **kwargs):
        found = real_bits(*args, **kwargs)
        if inside and not hidden:
            draws.append((inside[-1], keras.ops.convert_to_numpy(found)))
        return found

    def hiding(function):
        def run(*args, **kwargs):
            hidden.append(function)
            try:
                return function(*args, **kwargs)
            finally:
                hidden.pop()

        return run

    with contextlib.ExitStack() as stack:
        _replace(stack, keras.Layer, "__call__", watching)
        _replace(stack, noise, "bits", drawing)
        # Some backends trace the body of a loop or branch, some run it at every turn. What is
        # called in there is therefore seen on no backend; the layer that holds the loop is.
        for module, name in control_flow_functions():
            _replace(stack, module, name, hiding(getattr(module, name)))
        yield calls, draws


def _replace(stack, place, name, function):
    stack.callback(setattr, place, name, getattr(place, name))
    setattr(place, name, function)


def _arrays(structure):
    """The tensors of numbers of a structure, as NumPy arrays; strings only TensorFlow has."""
    tensors = [tensor for tensor in keras.tree.flatten(structure) if keras.ops.is_tensor(tensor)]
    arrays = [keras.ops.convert_to_numpy(tensor) for tensor in tensors]
    return [array for array in arrays if array.dtype.kind not in "OSU"]
