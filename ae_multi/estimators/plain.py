"""Python values as JSON with arrays and Keras models beside it, and back."""

import io
import math

import numpy as np

from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.estimators.packing import from_bytes, to_bytes


class Writer:
    """Turns values into JSON; arrays and models become parts of their own.

    Attributes:
        parts: dict of part name to bytes, filled by `plain`.
    """

    def __init__(self):
        self.parts = {}

    def plain(self, value, name):
        """``value`` as JSON knows it.

        Args:
            value: None, a boolean, number or text, a NumPy number or array, a Keras model, or a
                list, tuple or dict of such.
            name: what it is, for the message.

        Raises:
            InputError: any other value.
        """
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, float) and not math.isfinite(value):
            return {"number": repr(value)}
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, list):
            return [self.plain(each, name) for each in value]
        if isinstance(value, tuple):
            return {"tuple": [self.plain(each, name) for each in value]}
        if isinstance(value, dict) and all(isinstance(key, str) for key in value):
            return {"dict": {key: self.plain(each, name) for key, each in value.items()}}
        if isinstance(value, np.ndarray) and value.dtype.kind in "biufU":
            file = io.BytesIO()
            np.save(file, value, allow_pickle=False)
            return {"array": self._part("arrays", "npy", file.getvalue())}
        if isinstance(value, np.ndarray) and all(isinstance(each, str) for each in value.flat):
            return {"names": value.tolist()}
        if isinstance(value, keras.Model):
            return {"model": self._part("models", "keras", to_bytes(value))}
        raise InputError(
            f"Expected {name} to be numbers, text or a Keras model, which a file can hold. "
            f"Received: {type(value).__name__}."
        )

    def _part(self, folder, suffix, content):
        name = f"{folder}/{len(self.parts)}.{suffix}"
        self.parts[name] = content
        return name


class Reader:
    """The way back from what a `Writer` made.

    Args:
        parts: dict of part name to bytes.
    """

    def __init__(self, parts):
        self.parts = parts

    def value(self, plain):
        """The value behind ``plain``; a `ValueError` or `KeyError` where it is none."""
        if isinstance(plain, list):
            return [self.value(each) for each in plain]
        if not isinstance(plain, dict):
            return plain
        ((kind, held),) = plain.items()
        if kind == "number":
            return float(held)
        if kind == "tuple":
            return tuple(self.value(each) for each in held)
        if kind == "dict":
            return {key: self.value(each) for key, each in held.items()}
        if kind == "names":
            return np.array(held, dtype=object)
        if kind == "array":
            return np.load(io.BytesIO(self.parts[held]), allow_pickle=False)
        if kind == "model":
            return from_bytes(self.parts[held])
        raise ValueError(f"{kind!r} is no kind of value")
