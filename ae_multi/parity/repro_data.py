"""Data for a script that reproduces a divergence in training: model, weights and batches.

A child process builds the model and saves the data. `ae_multi.parity.reproduce_training` writes
the script.
"""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from ae_multi._keras import keras
from ae_multi._keras_internals import random_module
from ae_multi.io.atomic import atomic_write
from ae_multi.models.compile_config import remove_backend_settings
from ae_multi.parity.model_builder import one_or_list

_RANDOM = (
    "beta", "binomial", "categorical", "dropout", "gamma", "normal", "randint", "shuffle",
    "truncated_normal", "uniform",
)  # fmt: skip


def save_training_data(
    path: os.PathLike[str] | str,
    model: keras.Model,
    reference: str,
    folder: os.PathLike[str] | str,
    batches: Sequence[tuple[Sequence[np.ndarray], Sequence[np.ndarray]]],
) -> None:
    """Save the data that reproduce a divergence in training with Keras alone.

    If Keras alone cannot reproduce it, the file contains the reason instead.

    Args:
        path: the .npz file to write.
        model: the compiled model at its initial weights.
        reference: reference to its build function, see `ae_multi.parity.model_builder.find`.
        folder: folder from which the reference can be imported.
        batches: (list of input arrays, list of target arrays) of each step up to the one that
            diverges.
    """
    random_functions = _random_functions(model, *batches[0])
    if random_functions:
        reason = f"the model draws random numbers in training ({random_functions})"
        with atomic_write(path) as temporary:
            np.savez(temporary, reason=reason)
        return
    config = keras_config(model)
    if config is None and reference.endswith(".keras"):
        with atomic_write(path) as temporary:
            np.savez(temporary, reason="the file of the model contains custom code")
        return
    arrays = {f"weight{i}": keras.ops.convert_to_numpy(w) for i, w in enumerate(model.weights)}
    for step, inputs_and_targets in enumerate(batches):
        for kind, batch in zip("xy", inputs_and_targets, strict=True):
            arrays |= {f"{kind}{step}_{i}": array for i, array in enumerate(batch)}
    with atomic_write(path) as temporary:
        np.savez(
            temporary,
            model="" if config is None else json.dumps(config),
            build=np.array([str(folder), reference]),
            **arrays,
        )


def keras_config(model: keras.Model) -> dict[str, Any] | None:
    """Return the configuration from which Keras alone builds the model on any backend.

    Returns:
        A JSON-serialisable dict, or None if the model contains custom code: a class or function of
        another module, a lambda, or an object that cannot be serialised.
    """
    try:
        config = keras.saving.serialize_keras_object(model)
        config = json.loads(json.dumps(config))
    except Exception:  # a user's get_config can raise any exception
        return None
    remove_backend_settings(config.get("compile_config"), model)
    return config if all(map(_is_keras, _objects(config))) else None


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    """Yield the configuration of every object in a configuration, at any depth."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        for value in config.values():
            yield from _objects(value)
    elif isinstance(config, list):
        for value in config:
            yield from _objects(value)


def _is_keras(entry: Mapping[str, Any]) -> bool:
    """Return whether the configuration of an object names a class or function of Keras."""
    if entry["class_name"] == "__lambda__":
        return False
    place = str(entry.get("module") or "keras")
    # Keras serialises its functions by name, with the module "builtins".
    return place.split(".")[0] in ("keras", "builtins") and not entry.get("registered_name")


def _random_functions(
    model: keras.Model, xs: Sequence[np.ndarray], ys: Sequence[np.ndarray]
) -> str:
    """Return the names of the random functions that a training step calls, separated by commas."""
    with _recorded_calls(random_module()) as called:
        x, y = (one_or_list([keras.ops.convert_to_tensor(a) for a in part]) for part in (xs, ys))
        state = [keras.ops.convert_to_numpy(variable) for variable in model.variables]
        model.compute_loss(x=x, y=y, y_pred=model(x, training=True), training=True)
        for variable, value in zip(model.variables, state, strict=True):
            variable.assign(value)  # the call has updated running means
    return ", ".join(sorted(called))


@contextlib.contextmanager
def _recorded_calls(module: ModuleType) -> Iterator[set[str]]:
    """Yield a set to which the name of each called random function of ``module`` is added."""
    called: set[str] = set()
    real = {name: getattr(module, name) for name in _RANDOM}

    def recorded(name: str) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            called.add(name)
            return real[name](*args, **kwargs)

        return run

    try:
        for name in _RANDOM:
            setattr(module, name, recorded(name))
        yield called
    finally:
        for name in _RANDOM:
            setattr(module, name, real[name])
