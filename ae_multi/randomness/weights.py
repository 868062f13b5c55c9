"""Draw the initial weights of a finished model again, the same on every backend."""

from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.randomness.initializers import Seeded, draw, is_random


def redraw(model, seed):
    """Give every randomly started weight of a built Keras model its value for ``seed``.

    Each weight keeps the distribution that its layer asks for; the numbers depend on the seed
    and on the weight's place in the model, not on the names that Keras counts up. Constant
    starts (biases, normalisation) and weights of `Seeded` layers stay as they are.

    Raises:
        InputError: a weight whose layer does not say how it was started.
    """
    layers = [
        layer
        for layer in model._flatten_layers(include_self=True, recursive=True)
        if layer._trainable_variables or layer._non_trainable_variables
    ]
    for place, layer in enumerate(layers):
        for variable in layer._trainable_variables + layer._non_trainable_variables:
            initializer = _initializer_of(layer, variable)
            if initializer is not None and is_random(initializer):
                purpose = f"weights/{place}/{variable.name}"
                variable.assign(draw(initializer, variable.shape, seed, purpose))


def _initializer_of(layer, variable):
    """The initializer of one of ``layer``'s own weights; None where it needs no drawing."""
    initializer = getattr(layer, f"{variable.name}_initializer", None)
    if isinstance(initializer, Seeded):
        return None
    if initializer is not None:
        return keras.initializers.get(initializer)
    values = keras.ops.convert_to_numpy(variable)
    if values.size and (values == values.flat[0]).all():
        return None  # started from a constant, which every backend writes alike
    raise InputError(
        f"Expected the layer {layer.name!r} ({type(layer).__name__}) to say how its weight "
        f"{variable.name!r} starts, in an attribute {variable.name}_initializer. Received: no such "
        "attribute. Add it, or start the weight with ae_multi.randomness.Seeded."
    )
