"""Framework-independent representation of a network: a list of layers with weights.

It is the intermediate form between a Keras model and the same network in plain PyTorch, JAX or
Keras, in both directions.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ae_multi._keras import keras


@dataclass(frozen=True)
class Layer:
    """One inference step of a network.

    Attributes:
        kind: type of step ("dense", "convolution", "activation"); see `ae_multi.interop.layers`.
        name: name of the Keras layer; unique among layers with weights.
        inputs: numbers of its input values: 0 is the input of the part, i the output of its i-th
            layer.
        settings: dict of the settings of this kind.
        takes: sample shape of its first input, (height, width, channels) for images.
        gives: sample shape of its output.
        variables: dict of role ("kernel", "bias") to the Keras variable, in Keras's layout.
    """

    kind: str
    name: str
    inputs: tuple[int, ...]
    settings: dict[str, Any]
    takes: tuple[int, ...]
    gives: tuple[int, ...]
    variables: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """Dict of role to NumPy array, in Keras's layout."""
        return {
            role: keras.ops.convert_to_numpy(variable) for role, variable in self.variables.items()
        }


@dataclass(frozen=True)
class Part:
    """A chain or graph of layers from one input to one output.

    Attributes:
        name: "encoder", "decoder" or "network".
        layers: tuple of `Layer` in topological order.
        takes: sample shape of the input.
        output: number of the output value.
    """

    name: str
    layers: tuple[Layer, ...]
    takes: tuple[int, ...]
    output: int

    @property
    def gives(self) -> tuple[int, ...]:
        """Sample shape of the output."""
        return self.layers[self.output - 1].gives if self.output else self.takes

    @property
    def is_chain(self) -> bool:
        """Whether the only input of each layer is the output of the layer before."""
        expected = [(place,) for place in range(len(self.layers))]
        return [layer.inputs for layer in self.layers] == expected and self.output == len(expected)


@dataclass(frozen=True)
class Network:
    """A sequence of parts.

    Attributes:
        name: class name of the Keras model.
        parts: tuple of `Part`.
    """

    name: str
    parts: tuple[Part, ...]

    @property
    def layers(self) -> list[tuple[Part, Layer]]:
        """All layers, in order, as pairs (part, layer)."""
        return [(part, layer) for part in self.parts for layer in part.layers]
