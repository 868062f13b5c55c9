"""Computation in float64 on every backend, used only in the processes of a parity check.

Keras 3.15 converts float64 to float32 on all backends except TensorFlow, by a private table. On
TensorFlow it casts Python numbers to float32 first. `install` patches both, and makes the changes
that float64 requires on JAX and PyTorch.
"""

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi._keras_internals import allow_float64


def install() -> None:
    """Make this process compute in float64. Call it before any model is built."""
    allow_float64()
    keras.config.set_floatx("float64")
    backends.current().allow_float64()
