"""What has to be the same for a training to be gone on with, and the first thing that is not."""

import hashlib
import json
import math

import numpy as np

from ae_multi._keras import keras
from ae_multi._keras_internals import compile_config, flatten_layers
from ae_multi.checkpoints.state import check_callbacks, with_state
from ae_multi.data.arrays import NotArraysError, as_array, flat_arrays, is_stream
from ae_multi.data.digest import sha256
from ae_multi.errors import InputError

# What a configuration says that changes no number: names, which Keras counts up from model to
# model, and where a class is found, which differs between backends.
_UNIMPORTANT = {
    "name", "module", "registered_name", "build_config", "compile_config", "shared_object_id",
    "shared_object_name",
}  # fmt: skip
# Settings of Keras's callbacks that steer a training.
_SETTINGS = (
    "monitor", "mode", "patience", "baseline", "start_from_epoch", "restore_best_weights",
    "factor", "min_lr", "cooldown", "save_best_only", "save_freq",
)  # fmt: skip

# Facts that are digests, of which nobody wants to read more than that they differ.
_DIGESTS = ("data (x)", "data (y)", "data (sample_weight)", "validation_data")


def facts_of(model, data, validation_data, order, callbacks, **others):
    """What a training depends on, as plain values by name.

    Args:
        model: a compiled and built Keras model.
        data: (x, y, sample_weight), nested arrays or None.
        validation_data: nested arrays, a stream, or None.
        order: the training's `BatchOrder`.
        callbacks: list of Keras callbacks.
        others: further plain values.
    """
    compiled = compile_config(model)
    optimizer = _described(model.optimizer)
    rate = optimizer.get("config", {}).pop("learning_rate", None)
    return {
        **{key: _described(value) for key, value in others.items()},
        "batch_size": order.batch_size,
        "seed of the order": order.seed,
        **({"shuffle": "batch"} if order.within_batches else {}),
        "steps_per_epoch": order.steps,
        "model": _model(model),
        "optimizer": optimizer,
        # Callbacks change the rate of an optimizer that has made steps.
        "learning_rate": rate if int(model.optimizer.iterations) == 0 else None,
        **{
            name: _described(compiled.get(name))
            for name in ("loss", "loss_weights", "metrics", "weighted_metrics")
        },
        **{
            f"data ({name})": fingerprint(part)
            for name, part in zip(("x", "y", "sample_weight"), data, strict=True)
        },
        "validation_data": fingerprint(validation_data),
        "callbacks": [
            {"class": name, **{key: _described(vars(each).get(key)) for key in _SETTINGS}}
            for name, each in with_state(callbacks)
        ],
    }


def check_same(facts, recorded, where):
    """Raise `InputError` that names the first of the ``facts`` which was recorded otherwise."""
    for name in {**recorded, **facts}:
        one, other = facts.get(name), recorded.get(name)
        if name == "learning_rate" and (one is None or other is None):
            continue
        if name == "callbacks":
            check_callbacks(*([each["class"] for each in some] for some in (one, other)))
        found = _difference(name, one, other)
        if found is not None:
            path, mine, theirs = found
            values = "" if name in _DIGESTS else f", {mine} and not {theirs}"
            raise InputError(
                f"Expected the training that {where} was made by. Received: another {path}{values}."
            )


def key_of(facts):
    """A short name that stands for all of the ``facts``."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def fingerprint(data):
    """What stands for arrays, equal where they are: their digest; what feeds itself is not read."""
    if data is None:
        return None
    leaves = flat_arrays(data)
    if is_stream(leaves):
        return "a stream"
    try:
        return sha256([part if _is_plain(part) else as_array(part) for part in leaves])
    except NotArraysError:
        return "a stream"


def _is_plain(part):
    return isinstance(part, np.ndarray) and part.dtype.kind != "O"


def _model(model):
    """The model's configuration, with numbers for the names of its layers."""
    try:
        config = keras.saving.serialize_keras_object(model)
        names = {layer.name for layer in flatten_layers(model)}
        return _described(config, names, {})
    except Exception:  # a model of one's own may not be able to say what it is
        layers = [type(layer).__name__ for layer in flatten_layers(model)]
        return {"layers": layers, "shapes": [list(weight.shape) for weight in model.weights]}


def _described(value, names=(), numbers=None):
    """``value`` as JSON knows it, without what is unimportant."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, str) and value in names:
        return f"layer {numbers.setdefault(value, len(numbers))}"
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_described(each, names, numbers) for each in value]
    if isinstance(value, dict):
        return {
            str(key): _described(each, names, numbers)
            for key, each in value.items()
            if key not in _UNIMPORTANT
        }
    if isinstance(value, np.ndarray):
        return sha256([value])
    if hasattr(value, "get_config"):
        return {
            "class": type(value).__name__,
            "config": _described(value.get_config(), names, numbers),
        }
    return getattr(value, "__qualname__", type(value).__name__)


def _difference(path, one, other):
    """(path, one value, the other) of the first place in which two plain values differ, or None."""
    if isinstance(one, dict) and isinstance(other, dict):
        pairs = [(f"{path}.{key}", one.get(key), other.get(key)) for key in {**one, **other}]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = [
            (f"{path}[{place}]", *pair) for place, pair in enumerate(zip(one, other, strict=True))
        ]
    else:
        return None if one == other else (path, _short(one), _short(other))
    return next(filter(None, (_difference(*pair) for pair in pairs)), None)


def _short(value):
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
