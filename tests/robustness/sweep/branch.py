"""Configurations of a layer, with samples and a model."""

from dataclasses import asdict, dataclass, field

import numpy as np

from ae_multi.randomness.streams import stream

SAMPLES = 4


@dataclass(frozen=True)
class Numbers:
    """The distribution of the samples of one input.

    Attributes:
        shape: shape of one sample.
        mean, spread: mean and standard deviation of a normal distribution.
        below: if positive, the values are integers from 0 to ``below`` - 1 instead.
        skipped: number of steps at the end of each sample that are zero, for masks.
    """

    shape: tuple
    mean: float = 0.0
    spread: float = 1.0
    below: int = 0
    skipped: int = 0

    def draw(self, generator):
        """Return `SAMPLES` samples: int32 with ``below``, otherwise float32."""
        shape = (SAMPLES, *self.shape)
        if self.below:
            return generator.integers(self.below, size=shape, dtype=np.int32)
        values = (self.mean + self.spread * generator.standard_normal(shape)).astype(np.float32)
        if self.skipped:
            values[:, -self.skipped :] = 0.0
        return values


@dataclass(frozen=True)
class Configuration:
    """A layer and the arguments of its call.

    Attributes:
        layer: name of the class in `keras.layers`.
        config: keywords of the class; a layer or an initializer among them is a dict with
            ``class`` and ``config``.
        inputs: list of `Numbers`.
        together: whether the layer takes its inputs as one list, as merging layers do.
        mask: value of steps that a `Masking` before the layer skips, or None for no mask.
        call: further keywords of the call.
    """

    layer: str
    config: dict
    inputs: list
    together: bool = False
    mask: float | None = None
    call: dict = field(default_factory=dict)

    def __str__(self):
        shapes = ", ".join(str(numbers.shape) for numbers in self.inputs)
        return f"{_code(self.layer, self.config)} on {shapes}"

    def to_json(self):
        """Return the configuration as values for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, value):
        """Create the configuration that `to_json` describes."""
        inputs = [Numbers(**{**n, "shape": tuple(n["shape"])}) for n in value["inputs"]]
        return cls(**{**value, "inputs": inputs})


def _code(layer, config):
    return f"{layer}({', '.join(f'{key}={_value(value)}' for key, value in config.items())})"


def _value(value):
    return _code(value["class"], value["config"]) if isinstance(value, dict) else repr(value)


def build(configuration):
    """Return a compiled Keras model: the layer between two layers with a weight for each element.

    The gradient of the first weight shows the layer's input gradient. The loss is linear,
    so that the gradient of the layer's output is constant.
    """
    from ae_multi._keras import keras

    layers, ops = keras.layers, keras.ops

    class Scale(layers.Layer):
        """Multiply each element of a sample by a weight."""

        def __init__(self, initializer):
            super().__init__()
            self.scale_initializer = initializer

        def build(self, shape):
            size = int(np.prod(shape[1:]))
            self.scale = self.add_weight((size,), self.scale_initializer, name="scale")

        def call(self, x):
            x = ops.cast(x, self.compute_dtype)
            return x * ops.reshape(self.scale, (1, *x.shape[1:]))

        def compute_mask(self, x, mask=None):
            return mask

    def instantiate(value):
        if isinstance(value, dict) and "class" in value:
            module = layers if hasattr(layers, value["class"]) else keras.initializers
            return getattr(module, value["class"])(**instantiate(value["config"]))
        if isinstance(value, dict):
            return {key: instantiate(item) for key, item in value.items()}
        return [instantiate(item) for item in value] if isinstance(value, list) else value

    def linear(y_true, y_pred):
        return ops.sum(ops.cast(y_true, y_pred.dtype) * y_pred)

    keras.utils.clear_session()
    tested = instantiate({"class": configuration.layer, "config": configuration.config})
    inputs = [
        keras.Input(numbers.shape, dtype="int32" if numbers.below else None)
        for numbers in configuration.inputs
    ]
    differentiable = [not numbers.below for numbers in configuration.inputs]
    values = [Scale("ones")(x) if d else x for x, d in zip(inputs, differentiable, strict=True)]
    if configuration.mask is not None:
        values = [layers.Masking(configuration.mask)(x) for x in values]
    outputs = tested(*([values] if configuration.together else values), **configuration.call)
    outputs = keras.tree.flatten(outputs)
    # These weights can be trained even if the layer passes no gradient. They differ from each
    # other: the targets may equal the inputs, along which normalization layers have no gradient.
    uneven = keras.initializers.RandomUniform(-1.0, 1.0)
    outputs = [Scale(uneven)(x) for x in outputs]
    model = keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs)
    # Eager, since compiling hundreds of small models takes longer than running them.
    model.compile(
        optimizer=keras.optimizers.SGD(0.01), loss=[linear] * len(outputs), run_eagerly=True
    )
    return model


def samples(configuration, seed, place):
    """Return the samples as a list of arrays, one for each input of the layer."""
    generator = np.random.Generator(stream(seed, f"sweep/samples/{place}"))
    return [numbers.draw(generator) for numbers in configuration.inputs]
