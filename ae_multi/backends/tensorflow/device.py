"""Device, settings and gradients of TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from ae_multi._keras_internals import wrap_tensorflow_cast

if TYPE_CHECKING:
    from ae_multi._keras import keras


def version() -> str:
    """Return the version of TensorFlow."""
    return tf.__version__


def device() -> str:
    """Return the name of TensorFlow's device: the first GPU if available, otherwise the CPU."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    return f"cpu ({threads()} threads)"


def on_cpu() -> bool:
    """Return whether TensorFlow uses the CPU."""
    return not tf.config.list_physical_devices("GPU")


def threads() -> int:
    """Return the number of threads that TensorFlow uses for one operation on the CPU."""
    return tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count() or 1


def full_precision() -> None:
    """Disable TF32, which TensorFlow enables by default."""
    tf.config.experimental.enable_tensor_float_32_execution(False)


def allow_tf32() -> None:
    """Enable TF32."""
    tf.config.experimental.enable_tensor_float_32_execution(True)


def keep_programs(folder: os.PathLike[str] | str) -> None:
    """Do nothing: TensorFlow has no cache of traced functions on disk."""


def compile_soon() -> None:
    """Do nothing: only the plan "loop-xla" and models with ``jit_compile=True`` use XLA."""


def wait() -> None:
    """Block until the device has finished all work."""
    if not on_cpu():
        tf.test.experimental.sync_devices()


def allow_float64() -> None:
    """Cast Python floats directly to float64; Keras casts them to float32 first."""

    def wrap(real):
        def cast(x, dtype):
            if isinstance(x, float) and str(dtype) == "float64":
                return tf.constant(x, tf.float64)
            return real(x, dtype)

        return cast

    wrap_tensorflow_cast(wrap)


def gradients(
    function: Callable[[], Any], variables: Sequence[keras.Variable]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the value of ``function()`` and its gradient for each variable."""
    tensors = [variable.value for variable in variables]
    with tf.GradientTape() as tape:
        value = function()
    results = tape.gradient(value, tensors, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    # The gradient of an embedding lookup is a `tf.IndexedSlices`; convert it to a dense tensor.
    return value.numpy(), [tf.convert_to_tensor(gradient).numpy() for gradient in results]


def zero_copy(array: np.ndarray) -> tf.Tensor:
    """Return a tensor that shares the memory of ``array`` where TensorFlow supports it.

    Otherwise TensorFlow copies once. `tf.constant` and `tf.convert_to_tensor` copy a NumPy array
    first, so that later changes of the array do not change the tensor. Here the caller must not
    change the array while the tensor is in use. TensorFlow does not write to it.
    """
    return tf.constant(_Uncopied(array))


class _Uncopied:
    """Wrapper of an array that TensorFlow converts without the first copy."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.array
