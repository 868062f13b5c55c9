"""Each kind of layer as modules of PyTorch, put one behind another in a form.

A form is that of `ae_multi.interop.torch_graph`: ``turned(value, place)`` gives the number of a
value with its channels "first" or "last", ``add(…)`` adds a module and gives the number of its
output, and ``held`` has, for each layer's output, a dict of place to number.
"""

import math

from ae_multi.errors import InputError
from ae_multi.interop.padding import around, beyond

_IMAGE = (3, 2, 0, 1)  # both kinds of kernels of images turn in the same way
_ACTIVATIONS = {
    "sigmoid": "Sigmoid", "tanh": "Tanh", "softplus": "Softplus", "softsign": "Softsign",
    "selu": "SELU", "silu": "SiLU", "gelu": "GELU", "mish": "Mish", "hard_sigmoid": "Hardsigmoid",
}  # fmt: skip


def _dense(form, layer):
    """Along the last axis, as in Keras."""
    inputs, units = layer.variables["kernel"].shape
    has_bias = "bias" in layer.variables
    weights = {"weight": ("kernel", (1, 0)), **({"bias": ("bias", (0,))} if has_bias else {})}
    given = form.turned(layer.inputs[0], "last")
    arguments = {"in_features": inputs, "out_features": units, "bias": has_bias}
    made = form.add("Linear", layer.name, given, layer=layer, weights=weights, **arguments)
    form.held.append({"last": made})


def _convolution(form, layer):
    height, width, inputs, outputs = layer.variables["kernel"].shape
    groups = layer.settings["groups"]
    edges = around(layer, (height, width))
    given, padding = _padded(form, layer, form.turned(layer.inputs[0], "first"), edges)
    _kernel(
        form,
        "Conv2d",
        layer,
        given,
        in_channels=inputs * groups,
        out_channels=outputs,
        kernel_size=(height, width),
        padding=padding,
        dilation=layer.settings["dilation"],
        groups=groups,
    )


def _deconvolution(form, layer):
    height, width, outputs, inputs = layer.variables["kernel"].shape
    edges = beyond(layer, (height, width))
    padding = tuple(-a for a, b in edges) if all(a == b <= 0 for a, b in edges) else (0, 0)
    made = _kernel(
        form,
        "ConvTranspose2d",
        layer,
        form.turned(layer.inputs[0], "first"),
        in_channels=inputs,
        out_channels=outputs,
        kernel_size=(height, width),
        padding=padding,
    )
    if padding == (0, 0) and any(map(any, edges)):
        form.held[-1] = {"first": _edged(form, layer, made, edges)}


def _kernel(form, kind, layer, given, **arguments):
    has_bias = "bias" in layer.variables
    weights = {"weight": ("kernel", _IMAGE), **({"bias": ("bias", (0,))} if has_bias else {})}
    made = form.add(
        kind,
        layer.name,
        given,
        layer=layer,
        weights=weights,
        bias=has_bias,
        stride=layer.settings["strides"],
        **arguments,
    )
    form.held.append({"first": made})
    return made


def _padded(form, layer, given, edges, value=0.0):
    """(number, padding): what is alike on both sides is left to the module that follows."""
    if all(a == b for a, b in edges):
        return given, tuple(a for a, _ in edges)
    return _edged(form, layer, given, edges, value), (0, 0)


def _edged(form, layer, given, edges, value=0.0):
    """The number of a value with zeros around it, or some of it cut off."""
    (top, bottom), (left, right) = edges
    arguments = {"padding": (left, right, top, bottom), "value": value}
    return form.add("ConstantPad2d", f"{layer.name}_edges", given, **arguments)


def _pad(form, layer):
    given = form.turned(layer.inputs[0], "first")
    form.held.append({"first": _edged(form, layer, given, layer.settings["edges"])})


def _enlarge(form, layer):
    bilinear = layer.settings["bilinear"]
    mode = {"mode": "bilinear", "align_corners": False} if bilinear else {"mode": "nearest"}
    scale = tuple(map(float, layer.settings["by"]))
    given = form.turned(layer.inputs[0], "first")
    made = form.add("Upsample", layer.name, given, scale_factor=scale, **mode)
    form.held.append({"first": made})


def _pool(form, layer):
    size, given = layer.settings["size"], form.turned(layer.inputs[0], "first")
    edges = around(layer, size)
    shared = {"kernel_size": size, "stride": layer.settings["strides"]}
    if layer.settings["what"] == "max":
        given, padding = _padded(form, layer, given, edges, -math.inf)
        made = form.add("MaxPool2d", layer.name, given, padding=padding, **shared)
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
        made = form.add("AvgPool2d", layer.name, given, padding=padding, **shared)
    form.held.append({"first": made})


def _normalise(form, layer):
    rank = len(layer.takes)
    if rank > 3:
        raise InputError(f"Expected vectors or images. Received: {layer.name!r} of {rank} axes.")
    names = ("weight", "bias", "running_mean", "running_var")
    weights = {n: (role, (0,)) for n, role in zip(names, layer.variables, strict=True)}
    made = form.add(
        "BatchNorm2d" if rank == 3 else "BatchNorm1d",
        layer.name,
        form.turned(layer.inputs[0], "first"),
        layer=layer,
        weights=weights,
        num_features=layer.takes[-1],
        eps=layer.settings["epsilon"],
        momentum=1 - layer.settings["momentum"],
    )
    form.held.append({"first": made})


def _normalise_sample(form, layer):
    weights = {"weight": ("gamma", (0,)), "bias": ("beta", (0,))}
    made = form.add(
        "LayerNorm",
        layer.name,
        form.turned(layer.inputs[0], "last"),
        layer=layer,
        weights=weights,
        normalized_shape=layer.takes[-1:],
        eps=layer.settings["epsilon"],
    )
    form.held.append({"last": made})


def _reshape(form, layer):
    made = form.turned(layer.inputs[0], "last")
    if len(layer.takes) > 1 and layer.takes != layer.gives:
        made = form.add("Flatten", f"{layer.name}_flat", made)
    if len(layer.gives) > 1 and layer.takes != layer.gives:
        made = form.add("Unflatten", layer.name, made, dim=1, unflattened_size=layer.gives)
    form.held.append({"last": made})


def _activation(form, layer):
    settings = dict(layer.settings)
    of, (place, given) = settings.pop("of"), form.any(layer.inputs[0])
    if of == "relu":
        kind, arguments = _rectifier(**settings)
    elif of == "softmax":
        kind, arguments = "Softmax", {"dim": -1 if place == "last" else 1}
    elif of == "elu":
        kind, arguments = "ELU", settings
    else:
        kind, arguments = _ACTIVATIONS[of], settings
    form.held.append({place: form.add(kind, f"{layer.name}_{of}", given, **arguments)})


def _dropout(form, layer):
    place, given = form.any(layer.inputs[0])
    made = form.add("Dropout", layer.name, given, p=layer.settings["rate"])
    form.held.append({place: made})


def _concatenate(form, layer):
    axis, rank = layer.settings["axis"], len(layer.takes)
    first = any("first" in form.held[value] for value in layer.inputs)
    place = "first" if first and rank > 1 else "last"
    given = [form.turned(value, place) for value in layer.inputs]
    axis = axis + rank + 1
    if place == "first":
        axis = 1 if axis == rank else axis + 1
    form.held.append({place: form.add("Concatenate", layer.name, *given, dim=axis)})


def _top_k(form, layer):
    given = form.turned(layer.inputs[0], "last")
    form.held.append({"last": form.add("TopK", layer.name, given, **layer.settings)})


def _first_half(form, layer):
    given = form.turned(layer.inputs[0], "last")
    form.held.append({"last": form.add("FirstHalf", layer.name, given)})


def _nearest_word(form, layer):
    words, size = layer.variables["codebook"].shape
    given = form.turned(layer.inputs[0], "last")
    weights = {"weight": ("codebook", (0, 1))}
    made = form.add(
        "NearestWord", layer.name, given, layer=layer, weights=weights, words=words, size=size
    )
    form.held.append({"last": made})


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
