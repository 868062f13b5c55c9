"""Arrays of NumPy's for TensorFlow to look at."""

import tensorflow as tf


def lent(array):
    """A tensor of an array's numbers: where they lie, or copied once where TensorFlow has to.

    `tf.constant` and `tf.convert_to_tensor` make a copy of an array of NumPy's first, lest
    somebody change it later. The arrays here are the caller's for as long as they are looked at,
    and TensorFlow does not write there.
    """
    return tf.constant(_Lent(array))


class _Lent:
    """An array that NumPy is handed as it is."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return self.array
