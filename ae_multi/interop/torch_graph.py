"""A network as modules of PyTorch: which ones, in what order, and where each weight goes.

No framework is asked for any of it, so that files of weights have PyTorch's names and layout
wherever they are written. PyTorch keeps the channels of images in front: what the layers of
images are given is turned, and what comes behind them is turned back, by `Permute` modules.

    Dense kernel (inputs, units)                 Linear weight (units, inputs)
    Conv2D kernel (h, w, inputs, outputs)        Conv2d weight (outputs, inputs, h, w)
    Conv2DTranspose kernel (h, w, outputs, in)   ConvTranspose2d weight (in, outputs, h, w)
"""

from dataclasses import dataclass, field

from ae_multi.interop.torch_layers import STEPS
from ae_multi.interop.weights import Weight


@dataclass(frozen=True)
class Module:
    """One module.

    Attributes:
        kind: class of `torch.nn`, or of `ae_multi.backends.torch.modules`, or "Concatenate".
        name: within its part; in a chain its number.
        inputs: numbers of the values that it takes: 0 is what the part is given.
        arguments: dict of what it is made with.
        weights: dict of a parameter's or buffer's name to (role, axes): the weight of the Keras
            layer, and how its axes are ordered.
        layer: the `Layer` that has these weights.
    """

    kind: str
    name: str
    inputs: tuple
    arguments: dict
    weights: dict = field(default_factory=dict)
    layer: object = None


def parts_of(network):
    """Dict of each part's name to its modules, a list of `Module`."""
    return {part.name: _Form(part).modules for part in network.parts}


def weights_of(network):
    """All weights, a list of `Weight`, in the order of the state dict."""
    alone = len(network.parts) == 1
    return [
        Weight(
            f"{module.name}.{name}" if alone else f"{part}.{module.name}.{name}",
            module.layer.variables[role],
            axes,
        )
        for part, modules in parts_of(network).items()
        for module in modules
        for name, (role, axes) in module.weights.items()
    ]


class _Form:
    """Collects the modules of a part; ``held`` says under which numbers a value can be had.

    ``held[i]`` is a dict of "last" or "first", for where the channels are, to the number.
    """

    def __init__(self, part):
        self.chain, self.modules, self.names = part.is_chain, [], set()
        self.held, self.shapes = [{"last": 0}], [part.takes]
        for layer in part.layers:
            STEPS[layer.kind](self, layer)
            self.shapes.append(layer.gives)
        self.turned(part.output, "last")

    def turned(self, value, place):
        """The number of a value with its channels in ``place``."""
        held, rank = self.held[value], len(self.shapes[value])
        if rank < 2:
            return next(iter(held.values()))
        if place not in held:
            axes = (rank, *range(1, rank)) if place == "first" else (*range(2, rank + 1), 1)
            held[place] = self.add("Permute", "turn", next(iter(held.values())), axes=axes)
        return held[place]

    def add(self, kind, name, *inputs, layer=None, weights=(), **arguments):
        """Add a module; return the number of what it gives."""
        if self.chain:
            name = str(len(self.modules))
        else:
            name = name.replace(".", "_")
            taken = [name, *(f"{name}_{i}" for i in range(1, len(self.modules) + 1))]
            name = next(each for each in taken if each not in self.names)
            self.names.add(name)
        self.modules.append(Module(kind, name, inputs, arguments, dict(weights), layer))
        return len(self.modules)

    def any(self, value):
        """(place of the channels, number) of a value as it is there."""
        return next(iter(self.held[value].items()))
