"""Autoencoders of other libraries, trained as their documentation describes.

Each module has ``PACKAGE``, the name under which its library is installed, and
``epoch_seconds(sizes, activations, x, batch_size, rate, epochs)``, which returns the seconds of one
epoch on the CPU, without the start of the training:

    sizes         units of each layer, from the input through the code, the smallest, to the output
    activations   activation of each dense layer: "relu", "sigmoid" or "linear"
    x             samples, float32 (n, pixels), also the targets
    batch_size    samples per step
    rate          learning rate of Adam
    epochs        number of epochs to average over

The loss is the mean squared error, or a multiple of it, and samples are shuffled in each epoch.
Logs, checkpoints and held-out samples are disabled where the library has options for it. Initial
weights and Adam's epsilon are those of the library; each module documents other differences. A
library is imported only when it trains.
"""

import contextlib
import importlib
import logging
import pkgutil
from collections.abc import Callable
from importlib import metadata
from time import perf_counter

import numpy as np


def available() -> list[str]:
    """Return the names of the modules whose libraries are installed, in alphabetical order."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return [name for name in names if _is_installed(name)]


def _is_installed(name):
    try:
        metadata.version(importlib.import_module(f"{__name__}.{name}").PACKAGE)
    except metadata.PackageNotFoundError:
        return False
    return True


def steady_seconds(
    fit: Callable[[np.ndarray, int], object], x: np.ndarray, batch_size: int, epochs: int
) -> float:
    """Return the seconds of an epoch without the work at the start and the end of a fit.

    Args:
        fit: function of (samples, number of epochs) that trains a new network.
        x: samples.
        batch_size: samples per step.
        epochs: number of epochs to average over.
    """
    fit(x[: 2 * batch_size], 1)  # work that happens once in a process counts in neither fit below
    one = _seconds(fit, x, 1)
    return (_seconds(fit, x, 1 + epochs) - one) / epochs


def _seconds(fit, x, epochs):
    start = perf_counter()
    fit(x, epochs)
    return perf_counter() - start


def torch_layers(sizes, activations):
    """Return dense layers and activations as a list of PyTorch modules with default weights."""
    from torch import nn

    kinds = {"relu": [nn.ReLU], "sigmoid": [nn.Sigmoid], "linear": []}
    layers = []
    for one, units, name in zip(sizes[:-1], sizes[1:], activations, strict=True):
        layers += [nn.Linear(one, units), *(kind() for kind in kinds[name])]
    return layers


@contextlib.contextmanager
def without_log():
    """Context manager that disables log messages up to the level INFO."""
    level = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(level)
