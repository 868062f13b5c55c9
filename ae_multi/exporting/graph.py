"""A model as one Keras graph with names: from one input to a dict of outputs."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ae_multi import training
from ae_multi._keras import keras
from ae_multi._keras_internals import call_arguments
from ae_multi.errors import InputError

PARTS = ("model", "encoder", "decoder")


@dataclass(frozen=True)
class Graph:
    """What is exported, and what has to be known to try it.

    Attributes:
        model: functional Keras model from one input, named "input", to a dict of outputs.
        bounds: (lowest, highest) value of inputs, numbers or arrays; None for any.
        first: Keras model that makes inputs of samples (the encoder, before a decoder), or None.
        outputs: function of inputs that gives what the file has to give, a dict of arrays; None
            for what ``model`` gives.
        sizes: function of the expected outputs that gives a dict of names to what differences
            are measured by, for outputs whose largest value is not that.
        decided: function of the expected outputs and of the relative size of rounding. Returns a
            dict of integer outputs' names to masks of what rounding leaves as it is.
    """

    model: keras.Model
    bounds: tuple | None = None
    first: keras.Model | None = None
    outputs: Callable | None = None
    sizes: Callable = lambda expected: {}
    decided: Callable = lambda expected, rounding: {}

    def expected(self, x):
        """What the file has to give for ``x``: dict of arrays."""
        return self.outputs(x) if self.outputs else training.predict(self.model, x)

    @property
    def shape(self):
        """The shape of one input."""
        return tuple(self.model.input_shape[1:])


def check_part(part):
    """Raise `InputError` unless ``part`` is one of `PARTS`."""
    if part not in PARTS:
        raise InputError(f"Expected a part among {', '.join(PARTS)}. Received: {part!r}.")


def graph_of(model, part):
    """The `Graph` of a Keras model of one input and one output, or of a part of it.

    Raises:
        InputError: an unknown part, a model without it, or one whose samples have no fixed shape.
    """
    check_part(part)
    if not isinstance(model, keras.Model):
        raise InputError(
            f"Expected a Keras model or an estimator of ae_multi. Received: {type(model).__name__}."
        )
    if part != "model" and not isinstance(getattr(model, part, None), keras.Model):
        raise InputError(
            f"Expected part='model' for a {type(model).__name__}, which has no {part}. "
            f"Received: {part!r}."
        )
    chosen = model if part == "model" else getattr(model, part)
    whole = hasattr(model, "encoder")
    name = "codes" if part == "encoder" else "reconstruction" if whole else "output"
    value_range = getattr(model, "value_range", None)
    bounds = None if value_range is None else tuple(map(np.float32, value_range))
    return Graph(
        functional(shape_of(chosen), lambda x: _named(called(chosen, x), name)),
        bounds=bounds,
        first=model.encoder if part == "decoder" else None,
        outputs=lambda x: _named(training.predict(chosen, x), name),
    )


def functional(shape, outputs):
    """A functional Keras model of samples of ``shape``; ``outputs`` makes a dict of its input."""
    inputs = keras.Input(shape, name="input")
    return keras.Model(inputs, outputs(inputs))


def called(model, x):
    """What ``model`` makes of ``x`` in use."""
    return model(x, **call_arguments(model, training=False))


def _named(outputs, name):
    """A dict of outputs: those that have names, or the one that there is as ``name``."""
    if isinstance(outputs, dict):
        return outputs
    if isinstance(outputs, list | tuple):
        raise InputError(
            "Expected a model of one output, or of outputs in a dict, whose names the file can "
            f"have. Received: one that gives {len(outputs)} without names."
        )
    return {name: outputs}


def shape_of(model):
    """The shape of one sample of ``model``, or an `InputError` where it has no single fixed one."""
    for part in (model, getattr(model, "encoder", None), getattr(model, "network", None)):
        shape = getattr(part, "input_shape", None)
        if isinstance(shape, tuple) and all(isinstance(size, int) for size in shape[1:]):
            return shape[1:]
    raise InputError(
        "Expected a model of one input whose samples have a fixed shape. "
        f"Received: {type(model).__name__}, which has none; begin it with a keras.Input."
    )
