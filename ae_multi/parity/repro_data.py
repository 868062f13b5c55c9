"""What a script needs to show a divergence in training with Keras alone: model, weights, batches.

Saved by the process that has the model; `ae_multi.parity.reproduce` makes the script of it.
"""

import contextlib
import json

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


def save_training_data(path, model, reference, folder, batches):
    """Save what shows a divergence in training, or why Keras alone cannot show it.

    Args:
        path: where the .npz goes.
        model: the compiled model, at its initial weights.
        reference: where its build function is, as `ae_multi.parity.model_builder.find` takes it.
        folder: the folder from which the reference is to be found.
        batches: (inputs, targets), lists of arrays, of each step up to the one that diverges.
    """
    asked = _random_functions(model, *batches[0])
    if asked:
        with atomic_write(path) as temporary:
            np.savez(temporary, reason=f"the model draws random numbers in training ({asked})")
        return
    arrays = {f"weight{i}": keras.ops.convert_to_numpy(w) for i, w in enumerate(model.weights)}
    for step, parts in enumerate(batches):
        for kind, found in zip("xy", parts, strict=True):
            arrays |= {f"{kind}{step}_{i}": array for i, array in enumerate(found)}
    config = own_configuration(model)
    with atomic_write(path) as temporary:
        np.savez(
            temporary,
            model="" if config is None else json.dumps(config),
            build=np.array([str(folder), reference]),
            **arrays,
        )


def own_configuration(model):
    """The model as plain values from which Keras alone builds it again, on any backend.

    Returns:
        A dict, or None where the model holds what is not Keras's: a class or function of another
        module, a lambda, or code that says nothing of its configuration.
    """
    try:
        config = keras.saving.serialize_keras_object(model)
        config = json.loads(json.dumps(config))
    except Exception:  # a user's get_config may fail in any way
        return None
    remove_backend_settings(config.get("compile_config"), model)
    return config if all(map(_is_keras, _objects(config))) else None


def _objects(config):
    """Every description of an object in a configuration, at any depth."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield config
        for value in config.values():
            yield from _objects(value)
    elif isinstance(config, list):
        for value in config:
            yield from _objects(value)


def _is_keras(entry):
    if entry["class_name"] == "__lambda__":
        return False
    place = str(entry.get("module") or "keras")
    # A function of Keras's own is written down as a builtin, by its name.
    return place.split(".")[0] in ("keras", "builtins") and not entry.get("registered_name")


def _random_functions(model, xs, ys):
    """Names of the random functions that a training step asks, with commas between."""
    with _noted(random_module()) as asked:
        x, y = (one_or_list([keras.ops.convert_to_tensor(a) for a in part]) for part in (xs, ys))
        kept = [keras.ops.convert_to_numpy(variable) for variable in model.variables]
        model.compute_loss(x=x, y=y, y_pred=model(x, training=True), training=True)
        for variable, value in zip(model.variables, kept, strict=True):
            variable.assign(value)  # running means have moved
    return ", ".join(sorted(asked))


@contextlib.contextmanager
def _noted(module):
    """A set that fills with the names of the module's random functions asked in the block."""
    asked, real = set(), {name: getattr(module, name) for name in _RANDOM}

    def noting(name):
        def ask(*args, **kwargs):
            asked.add(name)
            return real[name](*args, **kwargs)

        return ask

    try:
        for name in _RANDOM:
            setattr(module, name, noting(name))
        yield asked
    finally:
        for name in _RANDOM:
            setattr(module, name, real[name])
