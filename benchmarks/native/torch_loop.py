"""PyTorch by hand, with the fused Adam; images as PyTorch likes them, channels first.

eager     operation by operation
compiled  forward and loss by `torch.compile`, and so their gradients
"""

import itertools
import math
import shutil

import numpy as np
import torch
from torch.nn import functional

WAYS = ("eager", "compiled") if shutil.which("c++") else ("eager",)
ACTIVATIONS = {"relu": torch.relu, "sigmoid": torch.sigmoid, "linear": lambda x: x}


def train(layers, x, rate, way):
    """See `benchmarks.native`."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    pairs = _pairs(layers, x.shape[1:], device)
    weights = [weight for pair in pairs if pair for weight in pair]
    optimizer = torch.optim.Adam(weights, rate, fused=True)
    taken = itertools.count(1)
    data = torch.tensor(_channels_first(x, x.shape[1:]).reshape(len(x), -1), device=device)

    def loss_of(batch):
        h = _reshape(x.shape[1:], batch)
        for layer, pair in zip(layers, pairs, strict=True):
            h = _layer(layer, pair, h)
        return functional.mse_loss(h.flatten(1), batch)

    if way == "compiled":
        loss_of = torch.compile(loss_of, dynamic=False)

    def step(row):
        loss = loss_of(data.index_select(0, row))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        # Keras adds its epsilon before the correction for the start, PyTorch after it.
        optimizer.param_groups[0]["eps"] = 1e-7 / math.sqrt(1 - 0.999 ** next(taken))
        optimizer.step()
        return loss.detach()

    def epoch(order):
        rows = torch.as_tensor(order, device=device).long()
        return torch.stack([step(row) for row in rows]).cpu().numpy()

    return epoch


def _pairs(layers, shape, device):
    """Each layer's kernel and bias as PyTorch's functions take them, or None: a list."""
    pairs, shapes = [], [shape, *(layer.output_shape for layer in layers)]
    for place, layer in enumerate(layers):
        if layer.kernel is None:
            pairs.append(None)
            continue
        if layer.kind == "dense":
            kernel, bias = layer.kernel.T, layer.bias  # (out, in)
            # What is flattened before, or made an image after, is so with its channels first.
            if place and layers[place - 1].kind == "reshape":
                kernel = _channels_first(kernel, shapes[place - 1]).reshape(kernel.shape)
            if place + 1 < len(layers) and layers[place + 1].kind == "reshape":
                kernel, bias = (
                    _channels_first(part.T, shapes[place + 2]).reshape(part.T.shape).T
                    for part in (kernel, bias)
                )
        else:
            # (out, in, 3, 3), and (in, out, 3, 3) where transposed, as its kernel has them.
            kernel, bias = layer.kernel.transpose(3, 2, 0, 1), layer.bias
        made = [torch.tensor(part.copy(), device=device) for part in (kernel, bias)]
        pairs.append([part.requires_grad_(True) for part in made])
    return pairs


def _channels_first(array, shape):
    """The last axis, or all but the first, seen as an image of ``shape``, channels moved ahead."""
    if len(shape) != 3:
        return array
    lead = array.shape[:1] if array.ndim > 1 else ()
    return np.moveaxis(array.reshape(*lead, *shape), -1, len(lead))


def _layer(layer, pair, h):
    if layer.kind == "reshape":
        return _reshape(layer.output_shape, h)
    kernel, bias = pair
    if layer.kind == "dense":
        h = functional.linear(h, kernel, bias)
    elif layer.kind == "conv":
        # "same" with stride 2 adds a row and a column at the end, where a side is even.
        h = functional.conv2d(functional.pad(h, (0, 1, 0, 1)), kernel, bias, stride=2)
    else:
        h = functional.conv_transpose2d(h, kernel, bias, stride=2)[..., :-1, :-1]
    return ACTIVATIONS[layer.activation](h)


def _reshape(shape, h):
    if len(shape) == 3:
        high, wide, channels = shape
        return h.reshape(-1, channels, high, wide)
    return h.flatten(1)
