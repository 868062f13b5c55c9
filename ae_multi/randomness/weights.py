"""Re-initialise the weights of a built model from a seed, the same on every backend."""

import itertools
import re

from ae_multi._keras import keras
from ae_multi._keras_internals import (
    flatten_layers,
    initializer_of,
    is_in_stateless_scope,
    own_variables,
    unfilled_variables,
)
from ae_multi.errors import InputError
from ae_multi.randomness.initializers import draw, is_random


def redraw(model, seed):
    """Give every randomly initialised weight of a built Keras model its value for ``seed``.

    Each weight keeps the distribution of its own initializer; the numbers depend on the seed and
    on the weight's position in the model, not on the names that Keras counts up. Weights that
    start from constants (biases, normalisation) and weights of `Seeded` initializers stay as they
    are.

    Raises:
        InputError: a weight whose initializer cannot be found or cannot be the same on every
            backend; the message names layer and weight.
    """
    if is_in_stateless_scope():
        return  # the model is an unfilled copy, whose variables have no values
    layers = flatten_layers(model)
    classes = {type(layer).__name__: type(layer) for layer in layers}
    for place, layer in enumerate(filter(own_variables, layers)):
        pairs = zip(own_variables(layer), _initializers(layer, layers, classes), strict=True)
        for index, (variable, initializer) in enumerate(pairs):
            shape = tuple(variable.shape)
            if initializer is None or not is_random(initializer, shape):
                continue
            # Keras counts up the names of variables that are created without one.
            counted = re.fullmatch(r"variable(_\d+)?", variable.name)
            name = index if counted else variable.name
            variable.assign(draw(initializer, shape, seed, f"weights/{place}/{name}"))


def _initializers(layer, layers, classes):
    """The initializer of each of a layer's own variables; None for one that has a constant."""
    reasons = []
    # Where a layer's config is not enough to create it (Keras's ConvLSTM cells), that of a layer
    # around it may be; the nearest comes last in `layers`.
    around = (
        other
        for other in reversed(layers[1:])
        if layer in flatten_layers(other, include_self=False)
    )
    for whole in itertools.chain((layer,), around):
        place = next(i for i, part in enumerate(flatten_layers(whole)) if part is layer)
        try:
            copy = flatten_layers(_unfilled_copy(whole, classes))[place]
            if _signature(copy) == _signature(layer):
                return [initializer_of(variable) for variable in own_variables(copy)]
            reasons.append("the layer created from its config has other weights")
        except Exception as error:  # a layer's own code may raise anything
            reasons.append(f"{type(error).__name__}: {error!s:.200}")
    return [_by_name(layer, variable, reasons[0]) for variable in own_variables(layer)]


def _unfilled_copy(layer, classes):
    """A copy of a built layer whose variables still hold their initializers and no values."""
    with keras.saving.custom_object_scope(classes), unfilled_variables():
        copy = type(layer).from_config(layer.get_config())
        if not copy.built:
            copy.build_from_config(layer.get_build_config())
    return copy


def _signature(layer):
    """Shapes and types of a layer's own variables, for telling whether two layers are alike."""
    return [(tuple(variable.shape), variable.dtype) for variable in own_variables(layer)]


def _by_name(layer, variable, reason):
    """The initializer in the layer's attribute for ``variable``, or None for a constant."""
    initializer = getattr(layer, f"{variable.name}_initializer", None)
    if initializer is not None:
        return keras.initializers.get(initializer)
    values = keras.ops.convert_to_numpy(variable)
    constant = values.size and (values == values.flat[0]).all()
    if constant and (values.size > 1 or values.flat[0] in (0, 1)):
        return None
    raise InputError(
        f"Expected the layer {layer.name!r} ({type(layer).__name__}) to show the initializer of "
        f"its weight {variable.name!r}: by get_config(), from which Keras can create it again, or "
        f"by an attribute {variable.name}_initializer. Received: neither ({reason})."
    )
