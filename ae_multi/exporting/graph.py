"""A model as one Keras graph from a named input to a dict of outputs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ae_multi import training
from ae_multi._keras import keras
from ae_multi._keras_internals import call_arguments
from ae_multi.errors import InputError

PARTS = ("model", "encoder", "decoder")


@dataclass(frozen=True)
class Graph:
    """A graph to export, with the information that its verification needs.

    Attributes:
        model: functional Keras model from one input, named "input", to a dict of outputs.
        bounds: (lowest, highest) value of the inputs, numbers or arrays; None for any.
        first: Keras model that computes the inputs of the graph from samples (the encoder, for a
            decoder), or None.
        outputs: function from inputs to the expected outputs of the file, a dict of arrays; None
            for the outputs of ``model``.
        sizes: function from the expected outputs to a dict of output names and the values that
            their differences are relative to, if this is not the largest value of the output.
        decided: function of the expected outputs and the relative size of rounding errors. It
            returns a dict of integer outputs' names to masks of the values that rounding cannot
            change.
    """

    model: keras.Model
    bounds: tuple[Any, Any] | None = None
    first: keras.Model | None = None
    outputs: Callable[[Any], dict[str, np.ndarray]] | None = None
    sizes: Callable[[Mapping[str, np.ndarray]], dict[str, float]] = lambda expected: {}
    decided: Callable[[Mapping[str, np.ndarray], float], dict[str, Any]] = (
        lambda expected, rounding: {}
    )

    def expected(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Return the expected outputs of the file for ``x``."""
        return self.outputs(x) if self.outputs else training.predict(self.model, x)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input sample."""
        return tuple(self.model.input_shape[1:])


def check_part(part: str) -> None:
    """Raise `InputError` unless ``part`` is one of `PARTS`."""
    if part not in PARTS:
        raise InputError(f"Expected a part among {', '.join(PARTS)}. Received: {part!r}.")


def graph_of(model: keras.Model, part: str) -> Graph:
    """Return the `Graph` of a Keras model with one input and one output, or of its ``part``.

    Raises:
        InputError: the part is unknown, the model does not have it, or its samples have no fixed
            shape.
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
    is_autoencoder = hasattr(model, "encoder")
    name = "codes" if part == "encoder" else "reconstruction" if is_autoencoder else "output"
    value_range = getattr(model, "value_range", None)
    bounds = None
    if value_range is not None:
        low, high = value_range
        bounds = np.float32(low), np.float32(high)
    return Graph(
        functional(shape_of(chosen), lambda x: _named(called(chosen, x), name)),
        bounds=bounds,
        first=model.encoder if part == "decoder" else None,
        outputs=lambda x: _named(training.predict(chosen, x), name),
    )


def functional(shape: Sequence[int], outputs: Callable[[Any], dict[str, Any]]) -> keras.Model:
    """Return a functional Keras model.

    Args:
        shape: shape of one sample.
        outputs: function from the input tensor to a dict of output tensors.
    """
    inputs = keras.Input(shape, name="input")
    return keras.Model(inputs, outputs(inputs))


def called(model: keras.Model, x: Any) -> Any:
    """Return the outputs of ``model`` for ``x`` in inference mode."""
    return model(x, **call_arguments(model, training=False))


def _named(outputs: Any, name: str) -> dict[str, Any]:
    """Return a dict of outputs as it is, and a single output as a dict with the key ``name``."""
    if isinstance(outputs, dict):
        return outputs
    if isinstance(outputs, list | tuple):
        raise InputError(
            "Expected a model with one output, or with a dict of named outputs. "
            f"Received: one that returns {len(outputs)} outputs without names."
        )
    return {name: outputs}


def shape_of(model: keras.Model) -> tuple[int, ...]:
    """Return the sample shape of ``model``, or raise `InputError` if it is not fixed."""
    for part in (model, getattr(model, "encoder", None), getattr(model, "network", None)):
        shape = getattr(part, "input_shape", None)
        if isinstance(shape, tuple) and all(isinstance(size, int) for size in shape[1:]):
            return shape[1:]
    raise InputError(
        "Expected a model of one input whose samples have a fixed shape. "
        f"Received: {type(model).__name__}, which has none; begin it with a keras.Input."
    )
