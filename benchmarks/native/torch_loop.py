"""PyTorch by hand: eager, with the fused Adam; `torch.compile` was slower on a CPU."""

import itertools
import math

import torch
from torch.nn import functional

ACTIVATIONS = {"relu": torch.relu, "sigmoid": torch.sigmoid, "linear": lambda x: x}


def train(layers, x, batch_size, rate):
    """See `benchmarks.native`."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    weights = [
        # PyTorch's linear layers hold a kernel as (out, in).
        (torch.tensor(kernel.T.copy(), device=device), torch.tensor(bias, device=device))
        for kernel, bias, _ in layers
    ]
    for pair in weights:
        for weight in pair:
            weight.requires_grad_(True)
    optimizer = torch.optim.Adam([weight for pair in weights for weight in pair], rate, fused=True)
    taken = itertools.count(1)
    data = torch.tensor(x, device=device)
    activations = [ACTIVATIONS[name] for *_, name in layers]

    def step(row):
        batch = h = data.index_select(0, row)
        for (kernel, bias), activation in zip(weights, activations, strict=True):
            h = activation(functional.linear(h, kernel, bias))
        loss = functional.mse_loss(h, batch)
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
