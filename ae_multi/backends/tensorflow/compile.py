"""Functions compiled by TensorFlow."""

from functools import partial

import tensorflow as tf


def compiled(function, **kwargs):
    """``function`` as a `tf.function`, traced as it stands, with other keywords of that.

    TensorFlow warns where one piece of code is traced again and again. That code is ours, made
    for each model once, and the models are the caller's: of a `partial` no code is known, and
    only what it was itself traced for is counted.
    """
    return tf.function(partial(function), autograph=False, **kwargs)
