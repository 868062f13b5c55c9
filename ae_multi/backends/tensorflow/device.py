"""TensorFlow: the device and its settings, and gradients."""

import os

import tensorflow as tf

from ae_multi._keras_internals import wrap_tensorflow_cast


def version():
    """TensorFlow's version."""
    return tf.__version__


def device():
    """The device that TensorFlow computes on: the first GPU if there is one."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    return f"cpu ({threads()} threads)"


def on_cpu():
    """Whether that is the processor."""
    return not tf.config.list_physical_devices("GPU")


def threads():
    """How many threads TensorFlow gives an operation on the processor."""
    return tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count()


def full_precision():
    """Turn TF32 off; TensorFlow has it on."""
    tf.config.experimental.enable_tensor_float_32_execution(False)


def allow_tf32():
    """Turn TF32 on."""
    tf.config.experimental.enable_tensor_float_32_execution(True)


def keep_programs(folder):
    """Nothing to keep: what TensorFlow traces is gone with its process."""


def compile_soon():
    """Nothing to leave out: no program is compiled for itself unless a model asks for XLA."""


def wait():
    """Return when the device has finished."""
    if not on_cpu():
        tf.test.experimental.sync_devices()


def allow_float64():
    """Cast Python numbers straight to float64; Keras's way is through float32."""

    def wrap(real):
        def cast(x, dtype):
            if isinstance(x, float) and str(dtype) == "float64":
                return tf.constant(x, tf.float64)
            return real(x, dtype)

        return cast

    wrap_tensorflow_cast(wrap)


def gradients(function, variables):
    """The value of ``function()`` and its gradient for each Keras variable, as NumPy arrays."""
    tensors = [variable.value for variable in variables]
    with tf.GradientTape() as tape:
        value = function()
    found = tape.gradient(value, tensors, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    # The gradient of a look-up comes as a list of rows; a tensor holds it whole.
    return value.numpy(), [tf.convert_to_tensor(gradient).numpy() for gradient in found]


def zero_copy(array):
    """A tensor of an array's numbers: where they lie, or copied once where TensorFlow has to.

    `tf.constant` and `tf.convert_to_tensor` make a copy of an array of NumPy's first, lest
    somebody change it later. The arrays here are the caller's for as long as they are looked at,
    and TensorFlow does not write there.
    """
    return tf.constant(_Uncopied(array))


class _Uncopied:
    """An array that NumPy is handed as it is."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array
