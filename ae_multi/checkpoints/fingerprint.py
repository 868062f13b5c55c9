"""Fingerprint of a training, to check that a checkpoint belongs to it before it resumes."""

import hashlib
import json
import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from ae_multi._keras import keras
from ae_multi._keras_internals import compile_config, flatten_layers
from ae_multi.checkpoints.state import check_callbacks, with_state
from ae_multi.data.arrays import NotArraysError, as_array, flat_arrays, is_stream
from ae_multi.data.digest import sha256
from ae_multi.data.source import has_sources, is_source
from ae_multi.errors import InputError

# Entries of a configuration that change no number: names, which Keras numbers from model to model,
# and the module of a class, which differs between backends.
_UNIMPORTANT = {
    "name", "module", "registered_name", "build_config", "compile_config", "shared_object_id",
    "shared_object_name",
}  # fmt: skip
# Settings of Keras's callbacks that affect a training.
_SETTINGS = (
    "monitor", "mode", "patience", "baseline", "start_from_epoch", "restore_best_weights",
    "factor", "min_lr", "cooldown", "save_best_only", "save_freq",
)  # fmt: skip

# Facts that are digests, whose values are left out of messages.
_DIGESTS = ("data (x)", "data (y)", "data (sample_weight)", "validation_data")


def facts_of(
    model: keras.Model,
    data: tuple,
    validation_data: Any,
    order: Any,
    callbacks: Sequence[keras.callbacks.Callback],
    **others: Any,
) -> dict[str, Any]:
    """Return everything that a training depends on, as a dict of name to JSON value.

    Args:
        model: a compiled and built Keras model.
        data: (x, y, sample_weight), nested arrays or None.
        validation_data: nested arrays, a stream, or None.
        order: the training's `BatchOrder`.
        callbacks: list of Keras callbacks.
        others: further values of a configuration.
    """
    compiled = compile_config(model)
    optimizer = _described(model.optimizer)
    rate = optimizer.get("config", {}).pop("learning_rate", None)
    return {
        **{key: _described(value) for key, value in others.items()},
        "batch_size": order.batch_size,
        "seed of the order": order.seed,
        **({"shuffle": "batch"} if order.within_batches else {}),
        **({"order": order.facts} if order.facts else {}),
        "steps_per_epoch": order.steps,
        "model": _model(model),
        "optimizer": optimizer,
        # Callbacks may have changed the learning rate of an optimizer that has made steps.
        "learning_rate": rate if int(model.optimizer.iterations) == 0 else None,
        **{
            name: _described(compiled.get(name))
            for name in ("loss", "loss_weights", "metrics", "weighted_metrics")
        },
        **{
            f"data ({name})": fingerprint(arrays)
            for name, arrays in zip(("x", "y", "sample_weight"), data, strict=True)
        },
        "validation_data": fingerprint(validation_data),
        "callbacks": [
            {"class": name, **{key: _described(vars(each).get(key)) for key in _SETTINGS}}
            for name, each in with_state(callbacks)
        ],
    }


def check_same(facts: dict[str, Any], recorded: dict[str, Any], where: Any) -> None:
    """Check that a training is the one that wrote a checkpoint.

    Args:
        facts: the training's facts, from `facts_of`.
        recorded: the facts in the checkpoint.
        where: path of the checkpoint, for messages.

    Raises:
        InputError: a fact differs; the message names the first one.
    """
    for name in {**recorded, **facts}:
        one: Any = facts.get(name)
        other: Any = recorded.get(name)
        if name == "learning_rate" and (one is None or other is None):
            continue
        if name == "callbacks":
            check_callbacks(*([each["class"] for each in some] for some in (one, other)))
        difference = _difference(name, one, other)
        if difference is not None:
            path, mine, theirs = difference
            values = "" if name in _DIGESTS else f", {mine} instead of {theirs}"
            raise InputError(
                f"Expected the training that wrote {where}. Received: a different {path}{values}."
            )


def key_of(facts: dict[str, Any]) -> str:
    """Return 16 hexadecimal digits that identify the ``facts``."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def fingerprint(data: Any) -> str | None:
    """Return the digest of nested arrays; "a stream" for a stream, which is not read."""
    if data is None:
        return None
    leaves = flat_arrays(data)
    if has_sources(leaves):
        return sha256([_source_or_array(leaf) for leaf in leaves])
    if is_stream(leaves):
        return "a stream"
    try:
        return sha256([leaf if _is_plain(leaf) else as_array(leaf) for leaf in leaves])
    except NotArraysError:
        return "a stream"


def _source_or_array(leaf: Any) -> np.ndarray:
    return np.array(leaf.fingerprint()) if is_source(leaf) else as_array(leaf)


def _is_plain(leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray) and leaf.dtype.kind != "O"


def _model(model: keras.Model) -> Any:
    """Return the model's configuration, with numbers instead of the names of its layers."""
    try:
        config = keras.saving.serialize_keras_object(model)
        names = {layer.name for layer in flatten_layers(model)}
        return _described(config, names, {})
    except Exception:  # a custom model may not support get_config
        layers = [type(layer).__name__ for layer in flatten_layers(model)]
        return {"layers": layers, "shapes": [list(weight.shape) for weight in model.weights]}


def _described(value: Any, names: Collection[str] = (), numbers: Any = None) -> Any:
    """Convert ``value`` to a JSON value, without the entries in `_UNIMPORTANT`.

    Args:
        value: any value of a configuration.
        names: names of layers, which are replaced by numbers.
        numbers: dict of name to number, filled in the order of occurrence; needed with ``names``.
    """
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


def _difference(path: str, one: Any, other: Any) -> tuple[str, str, str] | None:
    """Return (path, one value, other value) of the first difference of two JSON values, or None.

    Args:
        path: name of the values, to which keys and indices are appended.
        one: nested dicts and lists of JSON values.
        other: the values to compare with.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        pairs = [(f"{path}.{key}", one.get(key), other.get(key)) for key in {**one, **other}]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = [
            (f"{path}[{index}]", *pair) for index, pair in enumerate(zip(one, other, strict=True))
        ]
    else:
        return None if one == other else (path, _short(one), _short(other))
    return next(filter(None, (_difference(*pair) for pair in pairs)), None)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
