"""Hand-written PyTorch loop with fused Adam and channels-first images.

eager           one operation after another
compiled        forward pass, loss and gradients compiled by `torch.compile`
graph           eager, captured as a CUDA graph of several steps
compiled graph  compiled, captured as a CUDA graph of several steps
"""

import itertools
import math
import shutil

import numpy as np
import torch
from torch.nn import functional

if torch.cuda.is_available():
    WAYS = ("graph", "compiled graph")
else:
    WAYS = ("eager", "compiled") if shutil.which("c++") else ("eager",)
ACTIVATIONS = {"relu": torch.relu, "sigmoid": torch.sigmoid, "linear": lambda x: x}


def train(layers, x, rate, way):
    """See `benchmarks.native`."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    pairs = _pairs(layers, x.shape[1:], device)
    weights = [weight for pair in pairs if pair for weight in pair]
    data = torch.tensor(_channels_first(x, x.shape[1:]).reshape(len(x), -1), device=device)

    def loss_of(batch):
        h = _reshape(x.shape[1:], batch)
        for layer, pair in zip(layers, pairs, strict=True):
            h = _layer(layer, pair, h)
        return functional.mse_loss(h.flatten(1), batch)

    compiled = "compiled" in way
    if compiled:
        loss_of = torch.compile(loss_of, dynamic=False)
    captured = "graph" in way
    optimizer = _OnDevice(weights, rate, compiled) if captured else _Eager(weights, rate)

    def step(row):
        loss = loss_of(data.index_select(0, row))
        optimizer.improve(loss)
        return loss.detach()

    graphs = _Graphs(step, optimizer.state) if captured else None

    def epoch(order):
        rows = torch.as_tensor(order, device=device).long()
        losses = graphs(rows) if captured else torch.stack([step(row) for row in rows])
        return losses.cpu().numpy()

    return epoch


class _Eager:
    """PyTorch's fused Adam."""

    def __init__(self, weights, rate):
        self._taken = itertools.count(1)
        self._adam = torch.optim.Adam(weights, rate, fused=True)

    def improve(self, loss):
        self._adam.zero_grad(set_to_none=True)
        loss.backward()
        # Keras adds epsilon before the bias correction, PyTorch after it.
        self._adam.param_groups[0]["eps"] = 1e-7 / math.sqrt(1 - 0.999 ** next(self._taken))
        self._adam.step()


class _OnDevice:
    """Adam whose complete state is on the device, so that a CUDA graph can replay its steps."""

    def __init__(self, weights, rate, compiled):
        self._weights, self._rate = weights, rate
        self._first, self._second = ([torch.zeros_like(w) for w in weights] for _ in range(2))
        self._taken = torch.zeros((), device=weights[0].device)
        self.state = [*weights, *self._first, *self._second, self._taken]
        if compiled:
            self._update = torch.compile(self._update, dynamic=False)

    def improve(self, loss):
        self._update(list(torch.autograd.grad(loss, self._weights)))

    @torch.no_grad()
    def _update(self, gradients):
        taken = self._taken.add_(1)
        rate = self._rate * torch.sqrt(1 - 0.999**taken) / (1 - 0.9**taken)
        torch._foreach_lerp_(self._first, gradients, 0.1)
        torch._foreach_mul_(self._second, 0.999)
        torch._foreach_addcmul_(self._second, gradients, gradients, 0.001)
        roots = torch._foreach_sqrt(self._second)
        torch._foreach_add_(roots, 1e-7)
        changes = torch._foreach_div(self._first, roots)
        torch._foreach_mul_(changes, rate)
        torch._foreach_sub_(self._weights, changes)


class _Graphs:
    """Steps captured as CUDA graphs: one graph of sixteen steps, and one of a single step."""

    def __init__(self, step, state):
        self._step, self._state, self._graphs = step, state, {}

    def __call__(self, rows):
        count = len(rows) // 16 * 16
        chunks = [*rows[:count].split(16), *rows[count:].split(1)]
        return torch.cat([self._replay(chunk) for chunk in chunks if len(chunk)])

    def _replay(self, rows):
        if rows.shape not in self._graphs:
            self._graphs[rows.shape] = self._capture(rows)
        inputs, graph, losses = self._graphs[rows.shape]
        inputs.copy_(rows)
        graph.replay()
        return losses.clone()

    def _capture(self, rows):
        inputs, before = rows.clone(), [tensor.detach().clone() for tensor in self._state]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self._step(inputs[0])
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            losses = torch.stack([self._step(row) for row in inputs])
        with torch.no_grad():
            torch._foreach_copy_(self._state, before)
        return inputs, graph, losses


def _pairs(layers, shape, device):
    """Return [kernel, bias] of each layer in PyTorch's layout, or None if it has no weights."""
    pairs, shapes = [], [shape, *(layer.output_shape for layer in layers)]
    for number, layer in enumerate(layers):
        if layer.kernel is None:
            pairs.append(None)
            continue
        if layer.kind == "dense":
            kernel, bias = layer.kernel.T, layer.bias  # (out, in)
            # A reshape before or after the layer flattens or forms images with channels first.
            if number and layers[number - 1].kind == "reshape":
                kernel = _channels_first(kernel, shapes[number - 1]).reshape(kernel.shape)
            if number + 1 < len(layers) and layers[number + 1].kind == "reshape":
                kernel, bias = (
                    _channels_first(array.T, shapes[number + 2]).reshape(array.T.shape).T
                    for array in (kernel, bias)
                )
        else:
            # (out, in, 3, 3); (in, out, 3, 3) for a transposed convolution.
            kernel, bias = layer.kernel.transpose(3, 2, 0, 1), layer.bias
        tensors = [torch.tensor(array.copy(), device=device) for array in (kernel, bias)]
        pairs.append([tensor.requires_grad_(True) for tensor in tensors])
    return pairs


def _channels_first(array, shape):
    """Reshape all axes but the first, or the only axis, to ``shape`` and move channels first."""
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
        # For even sides "same" with stride 2 pads a row and a column at the end.
        h = functional.conv2d(functional.pad(h, (0, 1, 0, 1)), kernel, bias, stride=2)
    else:
        h = functional.conv_transpose2d(h, kernel, bias, stride=2)[..., :-1, :-1]
    return ACTIVATIONS[layer.activation](h)


def _reshape(shape, h):
    if len(shape) == 3:
        high, wide, channels = shape
        return h.reshape(-1, channels, high, wide)
    return h.flatten(1)
