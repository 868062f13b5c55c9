"""Precision of the processes that check parity: true float64, and dtypes of fewer digits."""

from collections.abc import Sequence

import numpy as np

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi._keras_internals import allow_float64, flatten_layers
from ae_multi.parity.bounds import UNIT_ROUNDOFF

# Unit roundoff of the dtypes below float32 in which a layer may compute, with rounding to nearest.
LOW_PRECISION = {"bfloat16": 2.0**-8, "float16": 2.0**-11}


def use_float64() -> None:
    """Compute in true float64 in this process. Call it before any model is built.

    Keras 3.15 demotes float64 to float32 on all backends except TensorFlow, in a private table. On
    TensorFlow it casts Python numbers to float32 first. Both are undone here, and what JAX and
    PyTorch need in addition is changed. Layers with a dtype policy, such as "mixed_bfloat16",
    compute in float64 too.
    """
    allow_float64()
    keras.config.set_floatx("float64")
    backends.current().allow_float64()


def unit_roundoff(model: keras.Model) -> float:
    """Return the largest unit roundoff of the dtype policies of a model, at least float32's.

    It is the same where layers compute in float64 instead, see `use_float64`.
    """
    return max(UNIT_ROUNDOFF, *(LOW_PRECISION.get(dtype, 0.0) for dtype in _dtypes(model)))


def describe_precision(model: keras.Model) -> str:
    """Return the dtypes below float32 in which layers compute, or "float32"."""
    return " and ".join(sorted(_dtypes(model) & LOW_PRECISION.keys())) or "float32"


def round_weights(model: keras.Model, values: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the weights rounded as the policies of their layers store them.

    Args:
        model: a Keras model.
        values: the arrays of ``model.weights``.
    """
    stored = {
        id(weight): layer.dtype_policy.name
        for layer in flatten_layers(model)
        for weight in layer.weights
        if layer.dtype_policy.name in LOW_PRECISION
    }
    ops = keras.ops
    return [
        ops.convert_to_numpy(ops.cast(ops.cast(array, stored[id(weight)]), "float32"))
        if id(weight) in stored
        else array
        for weight, array in zip(model.weights, values, strict=True)
    ]


def _dtypes(model: keras.Model) -> set[str]:
    """Return the dtypes in which the layers of a model compute, by the names of their policies."""
    return {layer.dtype_policy.name.removeprefix("mixed_") for layer in flatten_layers(model)}
