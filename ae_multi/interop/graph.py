"""A network as a list of layers and weights, which belongs to no framework.

This is what stands between a Keras model and the same network in plain PyTorch, JAX or Keras:
each of them is made from it, and weights come back by it.
"""

from dataclasses import dataclass, field

from ae_multi._keras import keras


@dataclass(frozen=True)
class Layer:
    """One step of a network in use.

    Attributes:
        kind: what it does ("dense", "convolution", "activation"); see `ae_multi.interop.layers`.
        name: that of the Keras layer it comes from; unique among those with weights.
        inputs: the values that it takes, by number: 0 is what the part was given, i what the
            i-th of its layers gave.
        settings: dict of what else the kind needs.
        takes: shape of one sample of its first input, images as (height, width, channels).
        gives: shape of one sample of its output.
        variables: dict of role ("kernel", "bias") to the Keras variable, in Keras's layout.
    """

    kind: str
    name: str
    inputs: tuple
    settings: dict
    takes: tuple
    gives: tuple
    variables: dict = field(default_factory=dict, compare=False, repr=False)

    @property
    def weights(self):
        """Dict of role to NumPy array, in Keras's layout."""
        return {
            role: keras.ops.convert_to_numpy(variable) for role, variable in self.variables.items()
        }


@dataclass(frozen=True)
class Part:
    """Layers behind one another, or a graph of them, from one input to one output.

    Attributes:
        name: "encoder", "decoder" or "network".
        layers: tuple of `Layer`; each takes values that come before it.
        takes: shape of one sample.
        output: number of the value that is given.
    """

    name: str
    layers: tuple
    takes: tuple
    output: int

    @property
    def gives(self):
        """Shape of one sample of the output."""
        return self.layers[self.output - 1].gives if self.output else self.takes

    @property
    def is_chain(self):
        """Whether each layer takes what the one before it gives, and nothing else."""
        expected = [(place,) for place in range(len(self.layers))]
        return [layer.inputs for layer in self.layers] == expected and self.output == len(expected)


@dataclass(frozen=True)
class Network:
    """Parts that run one after the other.

    Attributes:
        name: of the design, the Keras model's class.
        parts: tuple of `Part`.
    """

    name: str
    parts: tuple

    @property
    def layers(self):
        """All layers, in order, as pairs (part, layer)."""
        return [(part, layer) for part in self.parts for layer in part.layers]
