"""All that a training needs to go on as if it had never been broken off, as NumPy arrays."""

import re

import numpy as np

from ae_multi._keras import keras
from ae_multi._keras_internals import CALLBACK_STATE
from ae_multi.backends.chunks import as_numpy
from ae_multi.errors import InputError


def get_state(model, callbacks):
    """The state of a training, in copies that later steps do not change.

    Args:
        model: a compiled and built Keras model.
        callbacks: list of Keras callbacks. What one of Keras's own remembers is known here; one
            of a caller's has a method ``get_state`` that returns plain values and arrays, and a
            method ``set_state`` that takes them.

    Returns:
        Dict of plain values and NumPy arrays, for `set_state`.
    """
    return {
        "variables": {
            group: [[variable.path, _copied(variable)] for variable in variables]
            for group, variables in _variables(model).items()
        },
        "callbacks": [
            [name, {key: _plain(value) for key, value in _state_of(callback).items()}]
            for name, callback in with_state(callbacks)
        ],
    }


def _is_remembered(name, value):
    """Whether one of Keras's callbacks can go on with a value under this name."""
    if name == "history":
        return isinstance(value, dict) and all(isinstance(each, list) for each in value.values())
    if name == "epoch":
        return isinstance(value, list)
    if name == "best_weights":
        return value is None or (
            isinstance(value, list) and all(isinstance(each, np.ndarray) for each in value)
        )
    return value is None or isinstance(value, bool | int | float)


def set_state(state, model, callbacks):
    """Give a model and its callbacks the state that `get_state` returned, on any backend.

    Raises:
        InputError: a state of other variables or callbacks than these.
    """
    groups = _variables(model)
    for group, variables in groups.items():
        _check_variables(group, variables, state["variables"][group])
    mine = with_state(callbacks)
    check_callbacks([name for name, _ in mine], [name for name, _ in state["callbacks"]])
    for group, variables in groups.items():
        for variable, (_, value) in zip(variables, state["variables"][group], strict=True):
            # Integers and what float32 stands for differ in type between backends.
            variable.assign(keras.ops.convert_to_tensor(value, dtype=variable.dtype))
    for (_, callback), (_, remembered) in zip(mine, state["callbacks"], strict=True):
        if _has_hooks(callback):
            callback.set_state(remembered)
            continue
        for name, value in remembered.items():
            if name not in _attributes(callback) or not _is_remembered(name, value):
                raise InputError(
                    f"Expected what a {type(callback).__name__} remembers. "
                    f"Received: {name}={value!r:.80}."
                )
        vars(callback).update(remembered)
        if isinstance(callback, keras.callbacks.History):
            model.history = callback


def with_state(callbacks):
    """[(class name, callback)] of those whose state is kept, in their order."""
    return [
        (type(callback).__name__, callback)
        for callback in callbacks
        if _has_hooks(callback) or _attributes(callback)
    ]


def check_callbacks(mine, recorded):
    """Raise `InputError` unless the names of the callbacks with a state are the recorded ones."""
    if mine != recorded:
        raise InputError(
            f"Expected the checkpoint's callbacks, {', '.join(recorded) or 'none'}. "
            f"Received: {', '.join(mine) or 'none'}."
        )


def _variables(model):
    """Variables by what they are for; each group in an order that is the same on all backends."""
    return {
        "weights": [*model.trainable_variables, *model.non_trainable_variables],
        "optimizer": list(model.optimizer.variables),
        "metrics": list(model.metrics_variables),
    }


def _check_variables(group, variables, recorded):
    # A path begins with names that Keras counts up from model to model; its end says what it is,
    # a kernel's momentum say.
    mine = [(_end(variable.path), tuple(variable.shape)) for variable in variables]
    theirs = [(_end(path), tuple(value.shape)) for path, value in recorded]
    if mine != theirs:
        pairs = [pair for pair in zip(mine, theirs, strict=False) if pair[0] != pair[1]]
        one, other = pairs[0] if pairs else (f"{len(mine)} of them", f"{len(theirs)}")
        raise InputError(
            f"Expected the checkpoint's variables ({group}): {other}. Received: a model's with "
            f"{one} in that place."
        )


def _end(path):
    return re.split("[/_]", path)[-1]


def _copied(variable):
    value = np.array(as_numpy(variable.value))
    # NumPy has no bfloat16 of its own; float32 holds its numbers exactly.
    return value if value.dtype.kind in "biuf" else value.astype(np.float32)


def _has_hooks(callback):
    return callable(getattr(callback, "get_state", None)) and callable(
        getattr(callback, "set_state", None)
    )


def _attributes(callback):
    return next((names for cls, names in CALLBACK_STATE.items() if isinstance(callback, cls)), ())


def _state_of(callback):
    if _has_hooks(callback):
        return callback.get_state()
    there = [name for name in _attributes(callback) if hasattr(callback, name)]
    state = {name: getattr(callback, name) for name in there}
    if state.get("best_weights") is not None:
        # Keras asks weights for their shapes; TensorFlow's single numbers come without an array.
        state["best_weights"] = [np.array(weight) for weight in state["best_weights"]]
    return state


def _plain(value):
    """``value`` in copies; a number that comes as a tensor is a number."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(each) for each in value)
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, np.generic) or not hasattr(value, "__array__"):
        return value.item() if isinstance(value, np.generic) else value
    array = np.array(as_numpy(value))
    return array if array.ndim else array.item()
