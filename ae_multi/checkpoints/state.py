"""State of a training as Python values and NumPy arrays, to resume it bit for bit."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ae_multi._keras import keras
from ae_multi._keras_internals import CALLBACK_STATE
from ae_multi.backends.chunks import as_numpy
from ae_multi.errors import InputError


def get_state(model: keras.Model, callbacks: Sequence[keras.callbacks.Callback]) -> dict[str, Any]:
    """Return a copy of the state of a training, which later steps do not change.

    Args:
        model: a compiled and built Keras model.
        callbacks: list of Keras callbacks. The state of Keras's own callbacks is supported. A
            custom callback with a state needs a method ``get_state``, which returns a dict of
            numbers, strings, lists, dicts and NumPy arrays, and a method ``set_state``, which takes
            that dict.

    Returns:
        Nested dict of numbers, strings, lists and NumPy arrays, for `set_state`.
    """
    return {
        "variables": {
            group: [[variable.path, _to_numpy(variable)] for variable in variables]
            for group, variables in _variables(model).items()
        },
        "callbacks": [
            [name, {key: _copy(value) for key, value in _state_of(callback).items()}]
            for name, callback in with_state(callbacks)
        ],
    }


def _is_valid(name: str, value: Any) -> bool:
    """Return whether ``value`` is valid for the attribute ``name`` of one of Keras's callbacks."""
    if name == "history":
        return isinstance(value, dict) and all(isinstance(each, list) for each in value.values())
    if name == "epoch":
        return isinstance(value, list)
    if name == "best_weights":
        return value is None or (
            isinstance(value, list) and all(isinstance(each, np.ndarray) for each in value)
        )
    return value is None or isinstance(value, bool | int | float)


def set_state(
    state: dict[str, Any], model: keras.Model, callbacks: Sequence[keras.callbacks.Callback]
) -> None:
    """Restore a state from `get_state` in a model and its callbacks, on any backend.

    Args:
        state: the result of `get_state` on any backend.
        model: a compiled and built Keras model of the same structure.
        callbacks: list of Keras callbacks of the same classes.

    Raises:
        InputError: a state of different variables or callbacks.
    """
    groups = _variables(model)
    for group, variables in groups.items():
        _check_variables(group, variables, state["variables"][group])
    stateful = with_state(callbacks)
    check_callbacks([name for name, _ in stateful], [name for name, _ in state["callbacks"]])
    for group, variables in groups.items():
        for variable, (_, value) in zip(variables, state["variables"][group], strict=True):
            # The dtype of integers, and of bfloat16 stored as float32, differs between backends.
            variable.assign(keras.ops.convert_to_tensor(value, dtype=variable.dtype))
    for (_, callback), (_, values) in zip(stateful, state["callbacks"], strict=True):
        if _has_hooks(callback):
            callback.set_state(values)
            continue
        for name, value in values.items():
            if name not in _attributes(callback) or not _is_valid(name, value):
                raise InputError(
                    f"Expected the state of a {type(callback).__name__}. "
                    f"Received: {name}={value!r:.80}."
                )
        vars(callback).update(values)
        if isinstance(callback, keras.callbacks.History):
            model.history = callback


def with_state(callbacks: Sequence[keras.callbacks.Callback]) -> list[tuple[str, Any]]:
    """Return [(class name, callback)] of the callbacks with a state, in their order."""
    return [
        (type(callback).__name__, callback)
        for callback in callbacks
        if _has_hooks(callback) or _attributes(callback)
    ]


def check_callbacks(mine: list[str], recorded: list[str]) -> None:
    """Raise `InputError` unless the names of the callbacks with a state are the recorded ones."""
    if mine != recorded:
        raise InputError(
            f"Expected the checkpoint's callbacks, {', '.join(recorded) or 'none'}. "
            f"Received: {', '.join(mine) or 'none'}."
        )


def _variables(model: keras.Model) -> dict[str, list]:
    """Return the variables by group; the order in a group is the same on all backends."""
    return {
        "weights": [*model.trainable_variables, *model.non_trainable_variables],
        "optimizer": list(model.optimizer.variables),
        "metrics": list(model.metrics_variables),
    }


def _check_variables(group: str, variables: list, recorded: list) -> None:
    """Raise `InputError` unless the variables have the recorded names and shapes."""
    # A path begins with names that Keras numbers from model to model. Its last word says what the
    # variable is, for example a momentum.
    mine = [(_last_word(variable.path), tuple(variable.shape)) for variable in variables]
    theirs = [(_last_word(path), tuple(value.shape)) for path, value in recorded]
    if mine != theirs:
        pairs: list = [pair for pair in zip(mine, theirs, strict=False) if pair[0] != pair[1]]
        one, other = pairs[0] if pairs else (f"{len(mine)} variables", f"{len(theirs)} variables")
        raise InputError(
            f"Expected the checkpoint's variables ({group}): {other}. Received: a model with "
            f"{one} instead."
        )


def _last_word(path: str) -> str:
    return re.split("[/_]", path)[-1]


def _to_numpy(variable: keras.Variable) -> np.ndarray:
    value = np.array(as_numpy(variable.value))
    # NumPy itself has no bfloat16; float32 represents its numbers exactly.
    return value if value.dtype.kind in "biuf" else value.astype(np.float32)


def _has_hooks(callback: Any) -> bool:
    return callable(getattr(callback, "get_state", None)) and callable(
        getattr(callback, "set_state", None)
    )


def _attributes(callback: Any) -> tuple[str, ...]:
    return next((names for cls, names in CALLBACK_STATE.items() if isinstance(callback, cls)), ())


def _state_of(callback: Any) -> dict[str, Any]:
    if _has_hooks(callback):
        return callback.get_state()
    names = [name for name in _attributes(callback) if hasattr(callback, name)]
    state = {name: getattr(callback, name) for name in names}
    if state.get("best_weights") is not None:
        # Keras reads the shapes of weights, but TensorFlow returns scalars that are not arrays.
        state["best_weights"] = [np.array(weight) for weight in state["best_weights"]]
    return state


def _copy(value: Any) -> Any:
    """Return a deep copy of ``value``, with NumPy arrays for tensors and numbers for scalars."""
    if isinstance(value, dict):
        return {key: _copy(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_copy(each) for each in value)
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, np.generic) or not hasattr(value, "__array__"):
        return value.item() if isinstance(value, np.generic) else value
    array = np.array(as_numpy(value))
    return array if array.ndim else array.item()
