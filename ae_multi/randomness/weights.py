"""Re-initialise the weights of a built model from a seed, the same on every backend."""

import itertools
import re
from collections.abc import Sequence
from typing import Any

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


def redraw(model: keras.Model, seed: int) -> None:
    """Re-initialise every randomly initialised weight of a built Keras model from ``seed``.

    Each weight keeps the distribution of its initializer. The numbers depend on the seed and on
    the weight's position in the model, not on the names that Keras numbers. Weights with constant
    initial values (biases, normalisation) and weights of `Seeded` initializers are not changed.

    Args:
        model: a built Keras model.
        seed: integer, 0 to 2**64 - 1.

    Raises:
        InputError: a weight whose initializer cannot be found or cannot be the same on every
            backend; the message names layer and weight.
    """
    if is_in_stateless_scope():
        return  # the model is a copy from `_unfilled_copy`, whose variables have no values
    layers = flatten_layers(model)
    classes = {type(layer).__name__: type(layer) for layer in layers}
    for position, layer in enumerate(filter(own_variables, layers)):
        pairs = zip(own_variables(layer), _initializers(layer, layers, classes), strict=True)
        for index, (variable, initializer) in enumerate(pairs):
            shape = tuple(variable.shape)
            if initializer is None or not is_random(initializer, shape):
                continue
            # Keras numbers the names of variables that are created without one.
            is_numbered = re.fullmatch(r"variable(_\d+)?", variable.name)
            name = index if is_numbered else variable.name
            variable.assign(draw(initializer, shape, seed, f"weights/{position}/{name}"))


def _initializers(layer: keras.layers.Layer, layers: Sequence, classes: dict[str, type]) -> list:
    """Return the initializer of each variable of a layer itself; None for a constant one.

    Args:
        layer: a built layer.
        layers: all layers of the model, the model first.
        classes: dict of class name to class of all layers, to create custom ones.
    """
    reasons: list[str] = []
    # If a layer cannot be created from its config (Keras's ConvLSTM cells), an outer layer may be.
    # The innermost one comes last in `layers`.
    outer_layers = (
        other
        for other in reversed(layers[1:])
        if layer in flatten_layers(other, include_self=False)
    )
    for outer in itertools.chain((layer,), outer_layers):
        index = next(i for i, inner in enumerate(flatten_layers(outer)) if inner is layer)
        try:
            copy = flatten_layers(_unfilled_copy(outer, classes))[index]
            if _signature(copy) == _signature(layer):
                return [initializer_of(variable) for variable in own_variables(copy)]
            reasons.append("the layer created from its config has other weights")
        except Exception as error:  # custom code of a layer may raise any error
            reasons.append(f"{type(error).__name__}: {error!s:.200}")
    return [_by_name(layer, variable, reasons[0]) for variable in own_variables(layer)]


def _unfilled_copy(layer: keras.layers.Layer, classes: dict[str, type]) -> Any:
    """Copy a built layer, with variables that have initializers but no values."""
    with keras.saving.custom_object_scope(classes), unfilled_variables():
        copy = type(layer).from_config(layer.get_config())
        if not copy.built:
            copy.build_from_config(layer.get_build_config())
    return copy


def _signature(layer: keras.layers.Layer) -> list[tuple]:
    """Return the shapes and dtypes of a layer's own variables, to compare two layers."""
    return [(tuple(variable.shape), variable.dtype) for variable in own_variables(layer)]


def _by_name(layer: keras.layers.Layer, variable: Any, reason: str) -> Any:
    """Return the initializer in the layer's attribute for ``variable``, or None for a constant.

    Raises:
        InputError: no such attribute, and the values are not constant.
    """
    initializer = getattr(layer, f"{variable.name}_initializer", None)
    if initializer is not None:
        return keras.initializers.get(initializer)
    values = keras.ops.convert_to_numpy(variable)
    constant = values.size and (values == values.flat[0]).all()
    if constant and (values.size > 1 or values.flat[0] in (0, 1)):
        return None
    raise InputError(
        f"Expected the layer {layer.name!r} ({type(layer).__name__}) to provide the initializer of "
        f"its weight {variable.name!r}: by get_config(), from which Keras can create it again, or "
        f"by an attribute {variable.name}_initializer. Received: neither ({reason})."
    )
