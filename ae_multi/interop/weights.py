"""Weights that come from elsewhere: which belongs where, and whether it fits."""

import re
from dataclasses import dataclass

import numpy as np

from ae_multi._keras import keras
from ae_multi.errors import InputError

# The order in which a layer has its weights, by the names that they go by.
_ORDER = (
    ("weight", "kernel", "gamma", "scale", "w", "W"),
    ("bias", "beta", "b"),
    ("running_mean", "moving_mean", "mean"),
    ("running_var", "moving_variance", "var"),
)


@dataclass(frozen=True)
class Weight:
    """One weight of a model as others have it.

    Attributes:
        key: its name there.
        variable: the Keras variable.
        axes: those of the variable, in the order that they have there.
    """

    key: str
    variable: object
    axes: tuple

    @property
    def shape(self):
        """There."""
        return tuple(self.variable.shape[axis] for axis in self.axes)

    @property
    def array(self):
        """As NumPy array, in the layout that it has there."""
        plain = keras.ops.convert_to_numpy(self.variable)
        return np.ascontiguousarray(plain.transpose(self.axes))


def put(weights, given, where):
    """Give a model the weights ``given``: all of them, or none and an error.

    Args:
        weights: list of `Weight`, in the model's order.
        given: dict of keys to arrays or tensors, in the order of the layers.
        where: what holds them, for the message ("the state dict").

    Raises:
        InputError: as `pair`; or weights that are no finite floating-point numbers.
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


def pair(weights, shapes, where):
    """Which weight is which: a list of pairs (`Weight`, key).

    Where the keys are those of ``weights`` they decide, and else the order does.

    Args:
        weights: list of `Weight`, in the model's order.
        shapes: dict of keys to shapes, in the order of the layers.
        where: what holds them, for the message.

    Raises:
        InputError: too few or too many, another shape, or keys whose order is lost.
    """
    own = [weight.key for weight in weights]
    keys = own if set(own) == set(shapes) else _in_order(list(shapes), where)
    if len(keys) != len(own):
        expected = [f"{weight.key} {weight.shape}" for weight in weights]
        raise InputError(
            f"Expected {where} to hold {len(own)} weights, {_some(expected)}. "
            f"Received: {len(keys)}, {_some(keys)}."
        )
    for weight, key in zip(weights, keys, strict=True):
        if tuple(shapes[key]) != weight.shape:
            raise InputError(
                f"Expected {key!r} in {where}, which is for {weight.variable.path}, to have shape "
                f"{weight.shape}. Received: {tuple(shapes[key])}."
            )
    return list(zip(weights, keys, strict=True))


def _in_order(keys, where):
    """Keys in the order of their layers: as they come, or by number where that order is lost.

    Files that sort their keys have a layer's bias before its weight: there layers come in the
    order of their numbers. An encoder comes before a decoder.

    Raises:
        InputError: sorted keys without numbers.
    """
    groups = {}
    for key in keys:
        groups.setdefault(key.rpartition(".")[0], []).append(key)
    lost = any(group != sorted(group, key=_rank) for group in groups.values())
    names = sorted(groups, key=side)
    if lost:
        stems = {(side(name), re.sub(r"\d+", "#", name)) for name in names}
        if len(stems) > len({side(name) for name in names}):
            raise InputError(
                f"Expected {where} to have its weights in the order of the layers, or keys with "
                f"the layers' numbers. Received: sorted keys, {_some(keys)}."
            )
        names.sort(key=lambda name: (side(name), natural(name)))
    return [key for name in names for key in sorted(groups[name], key=_rank)]


def natural(name):
    """What sorts names with numbers in them by these: layer_2 before layer_10."""
    parts = re.split(r"(\d+)", name)
    return [(part.isdigit(), int(part) if part.isdigit() else part) for part in parts]


def _numbers(value, what):
    """An array or tensor of any framework as float32 NumPy array, or an `InputError`."""
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


def _some(names, most=12):
    return ", ".join(names[:most]) + (" …" if len(names) > most else "") or "none"


def _rank(key):
    name = key.rpartition(".")[2]
    return next((rank for rank, names in enumerate(_ORDER) if name in names), len(_ORDER))


def side(name):
    """Whether a name is a decoder's; False sorts before True."""
    return "decoder" in re.split(r"[._/]", name)
