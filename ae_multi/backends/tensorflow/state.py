"""Variables and random generators of TensorFlow: to restore, and to notice that they changed."""

import tensorflow as tf
from tensorflow.python.ops import stateful_random_ops

from ae_multi.backends.snapshot import Snapshot, Values


def snapshot(reachable, variables=True):
    """The `Snapshot` of a `Reachable`; ``variables`` says whether with Keras variables."""
    return Snapshot(reachable, _save, _save_generators, variables)


def values(reachable, known=()):
    """The `Values` of a `Reachable` beside variables, all of which programs read at each run."""
    return Values(reachable, lambda value: None)


def _save(value):
    """A function that restores ``value`` where it is a `tf.Variable`, or None."""
    if not isinstance(value, tf.Variable):
        return None
    # Nothing is copied: TensorFlow copies a value in use before it changes the variable.
    content = value.read_value()
    return lambda: value.assign(content)


def _save_generators():
    """A function that restores TensorFlow's global generator, if there is one."""
    generator = stateful_random_ops.global_generator
    return (generator and _save(generator.state)) or (lambda: None)
