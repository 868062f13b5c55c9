"""Compilation of functions by TensorFlow."""

from collections.abc import Callable
from functools import partial
from typing import Any

import tensorflow as tf


def compiled(function: Callable[..., Any], **kwargs: Any) -> Any:
    """Return ``function`` as a `tf.function` without AutoGraph.

    TensorFlow counts the traces of a code object and warns of repeated tracing. The functions of
    all models share code objects here, so many models would cause the warning. Traces of a
    `partial` are counted for each `partial` instead.

    Args:
        function: function of tensors.
        kwargs: further arguments of `tf.function`.
    """
    return tf.function(partial(function), autograph=False, **kwargs)
