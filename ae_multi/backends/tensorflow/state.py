"""Save, restore and compare the state of a model on TensorFlow."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.ops import stateful_random_ops

from ae_multi._keras import keras
from ae_multi.backends.changed_values import Values
from ae_multi.backends.reachable import Reachable
from ae_multi.backends.snapshot import Snapshot


def snapshot(reachable: Reachable, variables: bool = True) -> Snapshot:
    """Return a `Snapshot` of ``reachable``; ``variables``: whether it includes Keras variables."""
    return Snapshot(reachable, _save, _save_generators, variables)


def values(reachable: Reachable, known: Sequence[keras.Variable] = ()) -> Values:
    """Return the `Values` of ``reachable``.

    Keras variables are excluded, since a program reads them in each run. ``known`` is not used.
    """
    return Values(reachable, lambda value: None)


def _save(value: Any) -> Callable[[], Any] | None:
    """Return a function that restores a `tf.Variable`, or None for any other object."""
    if not isinstance(value, tf.Variable):
        return None
    # No copy is made: TensorFlow copies a referenced value before it changes the variable.
    content = value.read_value()
    return lambda: value.assign(content)


def _save_generators() -> Callable[[], Any]:
    """Return a function that restores TensorFlow's global generator, if it exists."""
    generator = stateful_random_ops.global_generator
    return (generator and _save(generator.state)) or (lambda: None)
