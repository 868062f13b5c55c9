"""Other libraries' autoencoders, trained as their own documentation says.

Each module has ``PACKAGE``, the name that its library is installed by, and
``epoch_seconds(sizes, activations, x, batch_size, rate, epochs)``, which returns the seconds of one
epoch on the CPU, once training is under way:

    sizes         units of each layer, from the input over the code, the narrowest, to the output
    activations   the name of each dense layer's: "relu", "sigmoid" or "linear"
    x             samples, float32 (n, pixels), which are their own target
    batch_size    samples in a step
    rate          Adam's learning rate
    epochs        how many are averaged

The loss is the mean squared error, or a multiple of it, and samples are shuffled in each epoch.
What a library does besides, logs, checkpoints, held-out samples, is switched off where its
options allow. Initial weights and Adam's epsilon are the library's own; each module says what else
differs. A library is imported only when it trains.
"""

import contextlib
import importlib
import logging
import pkgutil
from importlib import metadata
from time import perf_counter


def available():
    """Names of the modules here whose libraries are installed, in alphabetical order."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return [name for name in names if _is_installed(name)]


def _is_installed(name):
    try:
        metadata.version(importlib.import_module(f"{__name__}.{name}").PACKAGE)
    except metadata.PackageNotFoundError:
        return False
    return True


def steady_seconds(fit, x, batch_size, epochs):
    """Seconds of an epoch without what a fit does before its first and after its last.

    Args:
        fit: function of (samples, number of epochs) that trains a new network.
        x: samples.
        batch_size: samples in a step.
        epochs: how many are averaged.
    """
    fit(x[: 2 * batch_size], 1)  # what happens once in a process counts in neither fit below
    one = _seconds(fit, x, 1)
    return (_seconds(fit, x, 1 + epochs) - one) / epochs


def _seconds(fit, x, epochs):
    start = perf_counter()
    fit(x, epochs)
    return perf_counter() - start


def torch_layers(sizes, activations):
    """Dense layers and activations, a list of PyTorch modules with PyTorch's initial weights."""
    from torch import nn

    kinds = {"relu": [nn.ReLU], "sigmoid": [nn.Sigmoid], "linear": []}
    layers = []
    for one, units, name in zip(sizes[:-1], sizes[1:], activations, strict=True):
        layers += [nn.Linear(one, units), *(kind() for kind in kinds[name])]
    return layers


@contextlib.contextmanager
def without_log():
    """Silence log messages up to the level INFO."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)
