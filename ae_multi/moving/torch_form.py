"""A network as modules of PyTorch: which ones, in what order, and where each weight goes.

No framework is asked for any of it, so that files of weights have PyTorch's names and layout
wherever they are written. PyTorch keeps the channels of images in front: what the layers of
images are given is turned, and what comes behind them is turned back, by `Permute` modules.

    Dense kernel (inputs, units)                 Linear weight (units, inputs)
    Conv2D kernel (h, w, inputs, outputs)        Conv2d weight (outputs, inputs, h, w)
    Conv2DTranspose kernel (h, w, outputs, in)   ConvTranspose2d weight (in, outputs, h, w)
"""

import math
from dataclasses import dataclass, field

from ae_multi.errors import InputError
from ae_multi.moving.pads import around, beyond
from ae_multi.moving.weights import Weight

_IMAGE = (3, 2, 0, 1)  # both kinds of kernels of images turn in the same way
_ACTIVATIONS = {
    "sigmoid": "Sigmoid", "tanh": "Tanh", "softplus": "Softplus", "softsign": "Softsign",
    "selu": "SELU", "silu": "SiLU", "gelu": "GELU", "mish": "Mish", "hard_sigmoid": "Hardsigmoid",
}  # fmt: skip


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
            getattr(self, f"_{layer.kind}")(layer)
            self.shapes.append(layer.gives)
        self._turned(part.output, "last")

    def _turned(self, value, place):
        """The number of a value with its channels in ``place``."""
        held, rank = self.held[value], len(self.shapes[value])
        if rank < 2:
            return next(iter(held.values()))
        if place not in held:
            axes = (rank, *range(1, rank)) if place == "first" else (*range(2, rank + 1), 1)
            held[place] = self._add("Permute", "turn", next(iter(held.values())), axes=axes)
        return held[place]

    def _add(self, kind, name, *inputs, layer=None, weights=(), **arguments):
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

    def _any(self, value):
        """(place of the channels, number) of a value as it is there."""
        return next(iter(self.held[value].items()))

    def _dense(self, layer):
        """Along the last axis, as in Keras."""
        inputs, units = layer.variables["kernel"].shape
        has_bias = "bias" in layer.variables
        weights = {"weight": ("kernel", (1, 0)), **({"bias": ("bias", (0,))} if has_bias else {})}
        given = self._turned(layer.inputs[0], "last")
        arguments = {"in_features": inputs, "out_features": units, "bias": has_bias}
        made = self._add("Linear", layer.name, given, layer=layer, weights=weights, **arguments)
        self.held.append({"last": made})

    def _convolution(self, layer):
        height, width, inputs, outputs = layer.variables["kernel"].shape
        groups = layer.settings["groups"]
        edges = around(layer, (height, width))
        given, padding = self._padded(layer, self._turned(layer.inputs[0], "first"), edges)
        self._kernel(
            "Conv2d", layer, given, in_channels=inputs * groups, out_channels=outputs,
            kernel_size=(height, width), padding=padding, dilation=layer.settings["dilation"],
            groups=groups,
        )  # fmt: skip

    def _deconvolution(self, layer):
        height, width, outputs, inputs = layer.variables["kernel"].shape
        edges = beyond(layer, (height, width))
        padding = tuple(-a for a, b in edges) if all(a == b <= 0 for a, b in edges) else (0, 0)
        made = self._kernel(
            "ConvTranspose2d", layer, self._turned(layer.inputs[0], "first"), in_channels=inputs,
            out_channels=outputs, kernel_size=(height, width), padding=padding,
        )  # fmt: skip
        if padding == (0, 0) and any(map(any, edges)):
            self.held[-1] = {"first": self._edged(layer, made, edges)}

    def _kernel(self, kind, layer, given, **arguments):
        has_bias = "bias" in layer.variables
        weights = {"weight": ("kernel", _IMAGE), **({"bias": ("bias", (0,))} if has_bias else {})}
        made = self._add(
            kind, layer.name, given, layer=layer, weights=weights, bias=has_bias,
            stride=layer.settings["strides"], **arguments,
        )  # fmt: skip
        self.held.append({"first": made})
        return made

    def _padded(self, layer, given, edges, value=0.0):
        """(number, padding): what is alike on both sides is left to the module that follows."""
        if all(a == b for a, b in edges):
            return given, tuple(a for a, _ in edges)
        return self._edged(layer, given, edges, value), (0, 0)

    def _edged(self, layer, given, edges, value=0.0):
        """The number of a value with zeros around it, or some of it cut off."""
        (top, bottom), (left, right) = edges
        arguments = {"padding": (left, right, top, bottom), "value": value}
        return self._add("ConstantPad2d", f"{layer.name}_edges", given, **arguments)

    def _pad(self, layer):
        given = self._turned(layer.inputs[0], "first")
        self.held.append({"first": self._edged(layer, given, layer.settings["edges"])})

    def _enlarge(self, layer):
        bilinear = layer.settings["bilinear"]
        mode = {"mode": "bilinear", "align_corners": False} if bilinear else {"mode": "nearest"}
        scale = tuple(map(float, layer.settings["by"]))
        given = self._turned(layer.inputs[0], "first")
        made = self._add("Upsample", layer.name, given, scale_factor=scale, **mode)
        self.held.append({"first": made})

    def _pool(self, layer):
        size, given = layer.settings["size"], self._turned(layer.inputs[0], "first")
        edges = around(layer, size)
        shared = {"kernel_size": size, "stride": layer.settings["strides"]}
        if layer.settings["what"] == "max":
            given, padding = self._padded(layer, given, edges, -math.inf)
            made = self._add("MaxPool2d", layer.name, given, padding=padding, **shared)
        else:
            if any(a not in (0, b) for a, b in edges):
                raise InputError(
                    "Expected mean pooling with borders that are alike, or behind alone. "
                    f"Received: {layer.name!r} with borders {edges}."
                )
            # Borders do not count; one that is behind alone is the rest of a whole window.
            behind = any(a != b for a, b in edges)
            padding = (0, 0) if behind else tuple(a for a, _ in edges)
            shared |= {"ceil_mode": behind, "count_include_pad": False}
            made = self._add("AvgPool2d", layer.name, given, padding=padding, **shared)
        self.held.append({"first": made})

    def _normalise(self, layer):
        rank = len(layer.takes)
        if rank > 3:
            raise InputError(
                f"Expected vectors or images. Received: {layer.name!r} of {rank} axes."
            )
        names = ("weight", "bias", "running_mean", "running_var")
        weights = {n: (role, (0,)) for n, role in zip(names, layer.variables, strict=True)}
        made = self._add(
            "BatchNorm2d" if rank == 3 else "BatchNorm1d", layer.name,
            self._turned(layer.inputs[0], "first"), layer=layer, weights=weights,
            num_features=layer.takes[-1], eps=layer.settings["epsilon"],
            momentum=1 - layer.settings["momentum"],
        )  # fmt: skip
        self.held.append({"first": made})

    def _normalise_sample(self, layer):
        weights = {"weight": ("gamma", (0,)), "bias": ("beta", (0,))}
        made = self._add(
            "LayerNorm", layer.name, self._turned(layer.inputs[0], "last"), layer=layer,
            weights=weights, normalized_shape=layer.takes[-1:], eps=layer.settings["epsilon"],
        )  # fmt: skip
        self.held.append({"last": made})

    def _flatten(self, layer):
        self._reshape(layer)

    def _reshape(self, layer):
        made = self._turned(layer.inputs[0], "last")
        if len(layer.takes) > 1 and layer.takes != layer.gives:
            made = self._add("Flatten", f"{layer.name}_flat", made)
        if len(layer.gives) > 1 and layer.takes != layer.gives:
            made = self._add("Unflatten", layer.name, made, dim=1, unflattened_size=layer.gives)
        self.held.append({"last": made})

    def _activation(self, layer):
        settings = dict(layer.settings)
        of, (place, given) = settings.pop("of"), self._any(layer.inputs[0])
        if of == "relu":
            kind, arguments = _rectifier(**settings)
        elif of == "softmax":
            kind, arguments = "Softmax", {"dim": -1 if place == "last" else 1}
        elif of == "elu":
            kind, arguments = "ELU", settings
        else:
            kind, arguments = _ACTIVATIONS[of], settings
        self.held.append({place: self._add(kind, f"{layer.name}_{of}", given, **arguments)})

    def _dropout(self, layer):
        place, given = self._any(layer.inputs[0])
        made = self._add("Dropout", layer.name, given, p=layer.settings["rate"])
        self.held.append({place: made})

    def _concatenate(self, layer):
        axis, rank = layer.settings["axis"], len(layer.takes)
        first = any("first" in self.held[value] for value in layer.inputs)
        place = "first" if first and rank > 1 else "last"
        given = [self._turned(value, place) for value in layer.inputs]
        axis = axis + rank + 1
        if place == "first":
            axis = 1 if axis == rank else axis + 1
        self.held.append({place: self._add("Concatenate", layer.name, *given, dim=axis)})

    def _top_k(self, layer):
        given = self._turned(layer.inputs[0], "last")
        self.held.append({"last": self._add("TopK", layer.name, given, **layer.settings)})

    def _first_half(self, layer):
        given = self._turned(layer.inputs[0], "last")
        self.held.append({"last": self._add("FirstHalf", layer.name, given)})

    def _nearest_word(self, layer):
        words, size = layer.variables["codebook"].shape
        given = self._turned(layer.inputs[0], "last")
        weights = {"weight": ("codebook", (0, 1))}
        made = self._add(
            "NearestWord", layer.name, given, layer=layer, weights=weights, words=words, size=size
        )
        self.held.append({"last": made})


def _rectifier(slope, highest):
    if highest is not None:
        return "Hardtanh", {"min_val": 0.0, "max_val": highest}
    return ("LeakyReLU", {"negative_slope": slope}) if slope else ("ReLU", {})
