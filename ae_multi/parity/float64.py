"""True float64 on every backend, for processes that prove parity and for nothing else.

Keras 3.15 demotes float64 to float32 on all backends but TensorFlow, in a private table, and on
TensorFlow casts Python numbers by way of float32. Both are undone here. JAX needs a switch of its
own, which `ae_multi.backends.jax` throws.
"""

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi._keras_internals import allow_float64


def install():
    """Make float64 mean float64 in this process; call it before any model is built."""
    allow_float64()
    keras.config.set_floatx("float64")
    backends.current().allow_float64()
