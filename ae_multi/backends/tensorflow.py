"""TensorFlow."""

import os

import tensorflow as tf


def version():
    """TensorFlow's version."""
    return tf.__version__


def device():
    """The device that TensorFlow computes on: the first GPU if there is one."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    threads = tf.config.threading.get_intra_op_parallelism_threads() or os.cpu_count()
    return f"cpu ({threads} threads)"


def full_precision():
    """Turn TF32 off; TensorFlow has it on."""
    tf.config.experimental.enable_tensor_float_32_execution(False)


def wait():
    """Return when the device has finished."""
    if tf.config.list_physical_devices("GPU"):
        tf.test.experimental.sync_devices()
