"""Conversion of each kind of layer to PyTorch modules.

Each function adds the modules of one layer to the builder of `ae_multi.interop.torch_graph`:
``permuted(value, channels)`` returns the number of a layer's output with its channels "first" or
"last", ``add(…)`` adds a module and returns the number of its output, and ``values`` holds, for
each layer's output, a dict of channel position to number.
"""

import math

from ae_multi.errors import InputError
from ae_multi.interop.padding import around, beyond

_IMAGE = (3, 2, 0, 1)  # permutation of the kernels of convolutions and transposed convolutions
_ACTIVATIONS = {
    "sigmoid": "Sigmoid", "tanh": "Tanh", "softplus": "Softplus", "softsign": "Softsign",
    "selu": "SELU", "silu": "SiLU", "gelu": "GELU", "mish": "Mish", "hard_sigmoid": "Hardsigmoid",
}  # fmt: skip


def _dense(builder, layer):
    """Add a Linear module, which acts on the last axis, as in Keras."""
    inputs, units = layer.variables["kernel"].shape
    has_bias = "bias" in layer.variables
    weights = {"weight": ("kernel", (1, 0)), **({"bias": ("bias", (0,))} if has_bias else {})}
    x = builder.permuted(layer.inputs[0], "last")
    arguments = {"in_features": inputs, "out_features": units, "bias": has_bias}
    output = builder.add("Linear", layer.name, x, layer=layer, weights=weights, **arguments)
    builder.values.append({"last": output})


def _convolution(builder, layer):
    height, width, inputs, outputs = layer.variables["kernel"].shape
    groups = layer.settings["groups"]
    edges = around(layer, (height, width))
    x, padding = _padded(builder, layer, builder.permuted(layer.inputs[0], "first"), edges)
    _kernel(
        builder,
        "Conv2d",
        layer,
        x,
        in_channels=inputs * groups,
        out_channels=outputs,
        kernel_size=(height, width),
        padding=padding,
        dilation=layer.settings["dilation"],
        groups=groups,
    )


def _deconvolution(builder, layer):
    height, width, outputs, inputs = layer.variables["kernel"].shape
    edges = beyond(layer, (height, width))
    padding = tuple(-a for a, b in edges) if all(a == b <= 0 for a, b in edges) else (0, 0)
    output = _kernel(
        builder,
        "ConvTranspose2d",
        layer,
        builder.permuted(layer.inputs[0], "first"),
        in_channels=inputs,
        out_channels=outputs,
        kernel_size=(height, width),
        padding=padding,
    )
    if padding == (0, 0) and any(map(any, edges)):
        builder.values[-1] = {"first": _edged(builder, layer, output, edges)}


def _kernel(builder, kind, layer, x, **arguments):
    has_bias = "bias" in layer.variables
    weights = {"weight": ("kernel", _IMAGE), **({"bias": ("bias", (0,))} if has_bias else {})}
    output = builder.add(
        kind,
        layer.name,
        x,
        layer=layer,
        weights=weights,
        bias=has_bias,
        stride=layer.settings["strides"],
        **arguments,
    )
    builder.values.append({"first": output})
    return output


def _padded(builder, layer, x, edges, value=0.0):
    """Return (number, padding): symmetric padding is left to the next module."""
    if all(a == b for a, b in edges):
        return x, tuple(a for a, _ in edges)
    return _edged(builder, layer, x, edges, value), (0, 0)


def _edged(builder, layer, x, edges, value=0.0):
    """Pad a value with a constant, or crop it where ``edges`` are negative; return its number."""
    (top, bottom), (left, right) = edges
    arguments = {"padding": (left, right, top, bottom), "value": value}
    return builder.add("ConstantPad2d", f"{layer.name}_edges", x, **arguments)


def _pad(builder, layer):
    x = builder.permuted(layer.inputs[0], "first")
    builder.values.append({"first": _edged(builder, layer, x, layer.settings["edges"])})


def _enlarge(builder, layer):
    bilinear = layer.settings["bilinear"]
    mode = {"mode": "bilinear", "align_corners": False} if bilinear else {"mode": "nearest"}
    scale = tuple(map(float, layer.settings["by"]))
    x = builder.permuted(layer.inputs[0], "first")
    output = builder.add("Upsample", layer.name, x, scale_factor=scale, **mode)
    builder.values.append({"first": output})


def _pool(builder, layer):
    size, x = layer.settings["size"], builder.permuted(layer.inputs[0], "first")
    edges = around(layer, size)
    shared = {"kernel_size": size, "stride": layer.settings["strides"]}
    if layer.settings["what"] == "max":
        x, padding = _padded(builder, layer, x, edges, -math.inf)
        output = builder.add("MaxPool2d", layer.name, x, padding=padding, **shared)
    else:
        if any(a not in (0, b) for a, b in edges):
            raise InputError(
                "Expected mean pooling with padding that is symmetric, or at the end alone. "
                f"Received: {layer.name!r} with padding {edges}."
            )
        # Padding is not averaged. If it is only at the end, the last window is incomplete.
        at_end = any(a != b for a, b in edges)
        padding = (0, 0) if at_end else tuple(a for a, _ in edges)
        shared |= {"ceil_mode": at_end, "count_include_pad": False}
        output = builder.add("AvgPool2d", layer.name, x, padding=padding, **shared)
    builder.values.append({"first": output})


def _normalise(builder, layer):
    rank = len(layer.takes)
    if rank > 3:
        raise InputError(f"Expected vectors or images. Received: {layer.name!r} of {rank} axes.")
    names = ("weight", "bias", "running_mean", "running_var")
    weights = {n: (role, (0,)) for n, role in zip(names, layer.variables, strict=True)}
    output = builder.add(
        "BatchNorm2d" if rank == 3 else "BatchNorm1d",
        layer.name,
        builder.permuted(layer.inputs[0], "first"),
        layer=layer,
        weights=weights,
        num_features=layer.takes[-1],
        eps=layer.settings["epsilon"],
        momentum=1 - layer.settings["momentum"],
    )
    builder.values.append({"first": output})


def _normalise_sample(builder, layer):
    weights = {"weight": ("gamma", (0,)), "bias": ("beta", (0,))}
    output = builder.add(
        "LayerNorm",
        layer.name,
        builder.permuted(layer.inputs[0], "last"),
        layer=layer,
        weights=weights,
        normalized_shape=layer.takes[-1:],
        eps=layer.settings["epsilon"],
    )
    builder.values.append({"last": output})


def _reshape(builder, layer):
    output = builder.permuted(layer.inputs[0], "last")
    if len(layer.takes) > 1 and layer.takes != layer.gives:
        output = builder.add("Flatten", f"{layer.name}_flat", output)
    if len(layer.gives) > 1 and layer.takes != layer.gives:
        output = builder.add("Unflatten", layer.name, output, dim=1, unflattened_size=layer.gives)
    builder.values.append({"last": output})


def _activation(builder, layer):
    settings = dict(layer.settings)
    of, (channels, x) = settings.pop("of"), builder.any(layer.inputs[0])
    if of == "relu":
        kind, arguments = _rectifier(**settings)
    elif of == "softmax":
        kind, arguments = "Softmax", {"dim": -1 if channels == "last" else 1}
    elif of == "elu":
        kind, arguments = "ELU", settings
    else:
        kind, arguments = _ACTIVATIONS[of], settings
    builder.values.append({channels: builder.add(kind, f"{layer.name}_{of}", x, **arguments)})


def _dropout(builder, layer):
    channels, x = builder.any(layer.inputs[0])
    output = builder.add("Dropout", layer.name, x, p=layer.settings["rate"])
    builder.values.append({channels: output})


def _concatenate(builder, layer):
    axis, rank = layer.settings["axis"], len(layer.takes)
    first = any("first" in builder.values[value] for value in layer.inputs)
    channels = "first" if first and rank > 1 else "last"
    inputs = [builder.permuted(value, channels) for value in layer.inputs]
    axis = axis + rank + 1
    if channels == "first":
        axis = 1 if axis == rank else axis + 1
    builder.values.append({channels: builder.add("Concatenate", layer.name, *inputs, dim=axis)})


def _top_k(builder, layer):
    x = builder.permuted(layer.inputs[0], "last")
    builder.values.append({"last": builder.add("TopK", layer.name, x, **layer.settings)})


def _first_half(builder, layer):
    x = builder.permuted(layer.inputs[0], "last")
    builder.values.append({"last": builder.add("FirstHalf", layer.name, x)})


def _nearest_word(builder, layer):
    codebook_size, code_dim = layer.variables["codebook"].shape
    x = builder.permuted(layer.inputs[0], "last")
    weights = {"weight": ("codebook", (0, 1))}
    output = builder.add(
        "NearestWord",
        layer.name,
        x,
        layer=layer,
        weights=weights,
        words=codebook_size,
        size=code_dim,
    )
    builder.values.append({"last": output})


def _rectifier(slope, highest):
    if highest is not None:
        return "Hardtanh", {"min_val": 0.0, "max_val": highest}
    return ("LeakyReLU", {"negative_slope": slope}) if slope else ("ReLU", {})


STEPS = {
    "dense": _dense,
    "convolution": _convolution,
    "deconvolution": _deconvolution,
    "pad": _pad,
    "enlarge": _enlarge,
    "pool": _pool,
    "normalise": _normalise,
    "normalise_sample": _normalise_sample,
    "reshape": _reshape,
    "activation": _activation,
    "dropout": _dropout,
    "concatenate": _concatenate,
    "top_k": _top_k,
    "first_half": _first_half,
    "nearest_word": _nearest_word,
    "flatten": _reshape,
}
