"""True float64 on every backend, for processes that check parity only.

Keras 3.15 demotes float64 to float32 on all backends except TensorFlow, in a private table. On
TensorFlow it casts Python numbers to float32 first. `install` undoes both, and changes what JAX and
PyTorch need in addition.
"""

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi._keras_internals import allow_float64


def install() -> None:
    """Enable true float64 in this process. Call it before any model is built."""
    allow_float64()
    keras.config.set_floatx("float64")
    backends.current().allow_float64()
