"""Matching of external weights to the weights of a model."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ae_multi._keras import keras
from ae_multi.errors import InputError

# The order of the weights in a layer, by their usual names.
_ORDER = (
    ("weight", "kernel", "gamma", "scale", "w", "W"),
    ("bias", "beta", "b"),
    ("running_mean", "moving_mean", "mean"),
    ("running_var", "moving_variance", "var"),
)


@dataclass(frozen=True)
class Weight:
    """One weight of a model with its key and layout in an external format.

    Attributes:
        key: its external key.
        variable: the Keras variable.
        axes: the axes of the variable in their external order.
    """

    key: str
    variable: Any
    axes: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape in the external layout."""
        return tuple(self.variable.shape[axis] for axis in self.axes)

    @property
    def array(self) -> np.ndarray:
        """NumPy array in the external layout."""
        array = keras.ops.convert_to_numpy(self.variable)
        return np.ascontiguousarray(array.transpose(self.axes))


def put(weights: Sequence[Weight], given: Mapping[str, Any], where: str) -> None:
    """Assign external weights to the variables of a model; an error changes none of them.

    Args:
        weights: weights of the model, in order.
        given: dict of keys to arrays or tensors, in the order of the layers.
        where: source of the weights, for error messages ("the state dict").

    Raises:
        InputError: as `pair`, or a weight is not a finite floating-point array.
    """
    arrays = {key: _numbers(value, f"{key!r} in {where}") for key, value in given.items()}
    pairs = pair(weights, {key: array.shape for key, array in arrays.items()}, where)
    for _, key in pairs:
        arrays[key] = arrays[key].astype(np.float32)
        if not np.isfinite(arrays[key]).all():
            raise InputError(
                f"Expected {key!r} in {where} to hold finite numbers. Received: NaN or infinity."
            )
    for weight, key in pairs:
        weight.variable.assign(arrays[key].transpose(np.argsort(weight.axes)))


def pair(
    weights: Sequence[Weight], shapes: Mapping[str, Sequence[int]], where: str
) -> list[tuple[Weight, str]]:
    """Match the weights of a model to external keys.

    Weights are matched by key if the sets of keys are equal, and otherwise by order.

    Args:
        weights: weights of the model, in order.
        shapes: dict of external keys to shapes, in the order of the layers.
        where: source of the weights, for error messages.

    Returns:
        List of pairs (weight, key).

    Raises:
        InputError: there are too few or too many keys, a shape differs, or the order of the
            layers is unknown.
    """
    model_keys = [weight.key for weight in weights]
    keys = model_keys if set(model_keys) == set(shapes) else _in_order(list(shapes), where)
    if len(keys) != len(model_keys):
        expected = [f"{weight.key} {weight.shape}" for weight in weights]
        raise InputError(
            f"Expected {where} to hold {len(model_keys)} weights, {_some(expected)}. "
            f"Received: {len(keys)}, {_some(keys)}."
        )
    for weight, key in zip(weights, keys, strict=True):
        if tuple(shapes[key]) != weight.shape:
            raise InputError(
                f"Expected {key!r} in {where}, which is for {weight.variable.path}, to have shape "
                f"{weight.shape}. Received: {tuple(shapes[key])}."
            )
    return list(zip(weights, keys, strict=True))


def _in_order(keys: Sequence[str], where: str) -> list[str]:
    """Return ``keys`` in the order of their layers, the encoder's before the decoder's.

    A layer's bias before its weight shows that the keys are sorted. Then the numbers in the keys
    give the order of the layers; otherwise the order of ``keys`` does.

    Raises:
        InputError: the keys are sorted and have no numbers.
    """
    groups: dict[str, list[str]] = {}
    for key in keys:
        groups.setdefault(key.rpartition(".")[0], []).append(key)
    is_sorted = any(group != sorted(group, key=_rank) for group in groups.values())
    names = sorted(groups, key=side)
    if is_sorted:
        stems = {(side(name), re.sub(r"\d+", "#", name)) for name in names}
        if len(stems) > len({side(name) for name in names}):
            raise InputError(
                f"Expected {where} to have its weights in the order of the layers, or keys with "
                f"the layers' numbers. Received: sorted keys, {_some(keys)}."
            )
        names.sort(key=lambda name: (side(name), natural(name)))
    return [key for name in names for key in sorted(groups[name], key=_rank)]


def natural(name: str) -> list[tuple[bool, int | str]]:
    """Return a key for natural sorting: layer_2 before layer_10."""
    parts = re.split(r"(\d+)", name)
    return [(part.isdigit(), int(part) if part.isdigit() else part) for part in parts]


def _numbers(value: Any, what: str) -> np.ndarray:
    """Return a floating-point array or tensor as a NumPy array, or raise `InputError`."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if value.is_floating_point() else value
    try:
        array = np.asarray(value)
        known = array.dtype.kind == "f" or array.dtype.name == "bfloat16"
    except (TypeError, ValueError, RuntimeError):
        known = False
    if not known:
        raise InputError(
            f"Expected {what} to be an array of floating-point numbers. "
            f"Received: {getattr(value, 'dtype', type(value).__name__)}."
        )
    return array


def _some(names: Sequence[str], count: int = 12) -> str:
    """Return the first ``count`` names as text."""
    return ", ".join(names[:count]) + (" …" if len(names) > count else "") or "none"


def _rank(key: str) -> int:
    """Return the position of a weight within its layer."""
    name = key.rpartition(".")[2]
    return next((rank for rank, names in enumerate(_ORDER) if name in names), len(_ORDER))


def side(name: str) -> bool:
    """Return whether a name belongs to a decoder, as a sort key: encoders come first."""
    return "decoder" in re.split(r"[._/]", name)
