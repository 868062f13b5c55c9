"""Keras's own NumPy and OpenVINO backends, which run a model forward and cannot train it."""

from importlib import metadata

from ae_multi._keras import keras
from ae_multi.errors import BackendError
from ae_multi.selection import select_backend


def version():
    """The version of NumPy or OpenVINO."""
    return metadata.version(select_backend())


def device():
    """Both are used on the CPU."""
    return "cpu"


def full_precision():
    """Nothing to turn off: NumPy computes in the precision it is given."""


def keep_programs(folder):
    """Nothing to keep: neither compiles."""


def compile_soon():
    """Nothing to leave out: neither compiles."""


def wait():
    """Nothing to wait for: calls return when they are done."""


def allow_float64():
    """Nothing to switch."""


def gradients(function, variables):
    """Not to be had: neither computes derivatives."""
    raise BackendError(
        "Expected torch, tensorflow or jax, which compute gradients. "
        f"Received: {select_backend()}, which only runs models forward."
    )


def plans(model):
    """None: neither trains."""
    return []


def forward(model, x, batch_size, on_progress=None):
    """The model's outputs in use for all of ``x``, by Keras's own `predict`."""
    # Not the model's: that of an `Autoencoder` comes here.
    return keras.Model.predict(model, x, batch_size=batch_size, verbose=0)
