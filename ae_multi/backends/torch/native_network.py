"""A network as a plain `torch.nn.Module`."""

import torch
from torch import fx, nn

from ae_multi.backends.torch import modules


class Coder(nn.Module):
    """An encoder and a decoder, one behind the other."""

    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, x):
        """Reconstructions of ``x``."""
        return self.decoder(self.encoder(x))


def module(parts, arrays):
    """The module of a network, in use: ``eval()``, on the CPU.

    Args:
        parts: dict of each part's name to its modules, as `ae_multi.interop.torch_graph` has them.
        arrays: dict of keys of the state dict to float32 NumPy arrays.
    """
    made = {name: _part(forms) for name, forms in parts.items()}
    whole = Coder(**made) if len(made) > 1 else next(iter(made.values()))
    state = whole.state_dict()
    with torch.no_grad():
        for key, array in arrays.items():
            state[key].copy_(torch.from_numpy(array))
    return whole.eval()


def _part(forms):
    """`nn.Sequential` where modules follow one another, and else a graph of them."""
    made = {form.name: _made(form) for form in forms if form.kind != "Concatenate"}
    if all(form.inputs == (place,) for place, form in enumerate(forms)):
        return nn.Sequential(*made.values())
    graph = fx.Graph()
    values = [graph.placeholder("x")]
    for form in forms:
        taken = tuple(values[i] for i in form.inputs)
        if form.kind == "Concatenate":
            values.append(graph.call_function(torch.cat, (taken,), form.arguments))
        else:
            values.append(graph.call_module(form.name, taken))
    graph.output(values[-1])
    return fx.GraphModule(made, graph, "Network")


def _made(form):
    kind = getattr(modules, form.kind, None) or getattr(nn, form.kind)
    return kind(**form.arguments)
