"""Description of a network as PyTorch modules: their types, order, arguments and weights.

It does not need PyTorch, so that files of weights have PyTorch's names and layout on every
backend. PyTorch layers expect the channels of images first. `Permute` modules move the channels
before and after them.

    Dense kernel (inputs, units)                 Linear weight (units, inputs)
    Conv2D kernel (h, w, inputs, outputs)        Conv2d weight (outputs, inputs, h, w)
    Conv2DTranspose kernel (h, w, outputs, in)   ConvTranspose2d weight (in, outputs, h, w)
"""

from dataclasses import dataclass, field
from typing import Any

from ae_multi.interop.graph import Layer, Network, Part
from ae_multi.interop.torch_layers import STEPS
from ae_multi.interop.weights import Weight


@dataclass(frozen=True)
class Module:
    """Description of one PyTorch module.

    Attributes:
        kind: class of `torch.nn` or of `ae_multi.backends.torch.modules`, or "Concatenate".
        name: name within its part; in a chain, its number.
        inputs: numbers of its input values: 0 is the input of the part, i the output of the i-th
            module.
        arguments: dict of constructor arguments.
        weights: dict of parameter or buffer name to (role, axes): the weight of the Keras layer
            and the order of its axes.
        layer: the `Layer` with these weights, or None.
    """

    kind: str
    name: str
    inputs: tuple[int, ...]
    arguments: dict[str, Any]
    weights: dict[str, tuple[str, tuple[int, ...]]] = field(default_factory=dict)
    layer: Layer | None = None


def parts_of(network: Network) -> dict[str, list[Module]]:
    """Return a dict of part names to modules."""
    return {part.name: _ModuleBuilder(part).modules for part in network.parts}


def weights_of(network: Network) -> list[Weight]:
    """Return all weights in the order of the state dict."""
    alone = len(network.parts) == 1
    return [
        Weight(
            f"{module.name}.{name}" if alone else f"{part}.{module.name}.{name}",
            module.layer.variables[role],
            axes,
        )
        for part, modules in parts_of(network).items()
        for module in modules
        if module.layer is not None
        for name, (role, axes) in module.weights.items()
    ]


class _ModuleBuilder:
    """Builder of the modules of a part.

    The output of a layer can exist with its channels first, last, or both.

    Attributes:
        chain: whether the part is a chain of modules.
        modules: the modules so far.
        values: for the input and each layer's output, a dict of channel position ("last" or
            "first") to the number of the value.
        shapes: sample shapes of the input and each layer's output, channels last.
    """

    def __init__(self, part: Part) -> None:
        self.chain = part.is_chain
        self.modules: list[Module] = []
        self.names: set[str] = set()
        self.values, self.shapes = [{"last": 0}], [part.takes]
        for layer in part.layers:
            STEPS[layer.kind](self, layer)
            self.shapes.append(layer.gives)
        self.permuted(part.output, "last")

    def permuted(self, value: int, channels: str) -> int:
        """Return the number of a layer's output with its channels "first" or "last"."""
        numbers, rank = self.values[value], len(self.shapes[value])
        if rank < 2:
            return next(iter(numbers.values()))
        if channels not in numbers:
            axes = (rank, *range(1, rank)) if channels == "first" else (*range(2, rank + 1), 1)
            numbers[channels] = self.add("Permute", "turn", next(iter(numbers.values())), axes=axes)
        return numbers[channels]

    def add(
        self,
        kind: str,
        name: str,
        *inputs: int,
        layer: Layer | None = None,
        weights: Any = (),
        **arguments: Any,
    ) -> int:
        """Add a module and return the number of its output."""
        if self.chain:
            name = str(len(self.modules))
        else:
            name = name.replace(".", "_")
            candidates = [name, *(f"{name}_{i}" for i in range(1, len(self.modules) + 1))]
            name = next(each for each in candidates if each not in self.names)
            self.names.add(name)
        self.modules.append(Module(kind, name, inputs, arguments, dict(weights), layer))
        return len(self.modules)

    def any(self, value: int) -> tuple[str, int]:
        """Return (channel position, number) of a layer's output in any layout that exists."""
        return next(iter(self.values[value].items()))
