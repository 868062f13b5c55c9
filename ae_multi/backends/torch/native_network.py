"""Networks as plain `torch.nn.Module` objects."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from ae_multi.backends.torch import modules


class Coder(nn.Module):
    """An encoder followed by a decoder."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return reconstructions of ``x``."""
        return self.decoder(self.encoder(x))


def module(parts: Mapping[str, Sequence[Any]], arrays: Mapping[str, np.ndarray]) -> nn.Module:
    """Build the module of a network, in inference mode (``eval()``) on the CPU.

    Args:
        parts: dict of part name to its list of `ae_multi.interop.torch_graph.Module`.
        arrays: dict of key of the state dict to float32 array.

    Returns:
        An `nn.Module`: a `Coder` if there are an encoder and a decoder.
    """
    built = {name: _part(forms) for name, forms in parts.items()}
    network = Coder(**built) if len(built) > 1 else next(iter(built.values()))
    state = network.state_dict()
    with torch.no_grad():
        for key, array in arrays.items():
            state[key].copy_(torch.from_numpy(array))
    return network.eval()


def _part(forms: Sequence[Any]) -> nn.Module:
    """Return an `nn.Sequential` for a chain of modules, otherwise a `torch.fx.GraphModule`."""
    built = {form.name: _build(form) for form in forms if form.kind != "Concatenate"}
    if all(form.inputs == (index,) for index, form in enumerate(forms)):
        return nn.Sequential(*built.values())
    graph = fx.Graph()
    values = [graph.placeholder("x")]
    for form in forms:
        inputs = tuple(values[i] for i in form.inputs)
        if form.kind == "Concatenate":
            values.append(graph.call_function(torch.cat, (inputs,), form.arguments))
        else:
            values.append(graph.call_module(form.name, inputs))
    graph.output(values[-1])
    return fx.GraphModule(built, graph, "Network")


def _build(form: Any) -> nn.Module:
    kind = getattr(modules, form.kind, None) or getattr(nn, form.kind)
    return kind(**form.arguments)
