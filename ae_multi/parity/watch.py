"""See what every layer of a model gives, whatever kind of model it is."""

import contextlib

from ae_multi._keras import keras

# Some backends trace the body of a loop or branch, some run it at every turn. What is called in
# there is therefore seen on no backend; the layer that holds the loop is.
_CONTROL_FLOW = {
    keras.src.backend: ("rnn", "lstm", "gru", "bidirectional_lstm", "bidirectional_gru"),
    keras.src.backend.core: (
        "associative_scan", "cond", "fori_loop", "map", "scan", "switch", "vectorized_map",
        "while_loop",
    ),
}  # fmt: skip


@contextlib.contextmanager
def watched_layers():
    """Collect each layer call inside the block, in the order in which the calls end.

    A layer inside another ends before it, so that the first entry that is wrong is the layer
    where the fault sits, not one that holds it. Watch eager calls: inside a compiled program
    there is nothing to see, and inside a loop or branch of `keras.ops` nothing is looked at.

    Yields:
        A list that fills with (layer, inputs, outputs), both lists of NumPy arrays.
    """
    calls, hidden = [], []
    real = keras.Layer.__call__

    def watching(layer, *args, **kwargs):
        if hidden:
            return real(layer, *args, **kwargs)
        inputs = _arrays(args)  # before the call, which may change them in place
        outputs = real(layer, *args, **kwargs)
        if found := _arrays(outputs):
            calls.append((layer, inputs, found))
        return outputs

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
        for module, names in _CONTROL_FLOW.items():
            for name in names:
                _replace(stack, module, name, hiding(getattr(module, name)))
        yield calls


def _replace(stack, place, name, function):
    stack.callback(setattr, place, name, getattr(place, name))
    setattr(place, name, function)


def _arrays(structure):
    """The tensors of a structure, as NumPy arrays."""
    tensors = [tensor for tensor in keras.tree.flatten(structure) if keras.ops.is_tensor(tensor)]
    return [keras.ops.convert_to_numpy(tensor) for tensor in tensors]
