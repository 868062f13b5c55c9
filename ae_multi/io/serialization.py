"""Python values as JSON with arrays as parts beside it, and back."""

import io
import math

import numpy as np

from ae_multi.errors import InputError
from ae_multi.io import npy

_NO_NUMBERS = ("nan", "inf", "-inf")  # which JSON does not know


class PartsWriter:
    """Turns values into JSON; arrays become parts of their own.

    Attributes:
        parts: dict of part name to bytes, filled by `plain`.
        holds: what a file can hold, for the message.
    """

    holds = "numbers or text"

    def __init__(self):
        self.parts = {}

    def plain(self, value, name):
        """``value`` as JSON knows it.

        Args:
            value: None, a boolean, number or text, a NumPy number or array, or a list, tuple or
                dict of such.
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
            return {"array": self.part("arrays", "npy", file.getvalue())}
        if isinstance(value, np.ndarray) and all(isinstance(each, str) for each in value.flat):
            return {"names": value.tolist()}
        raise InputError(
            f"Expected {name} to be {self.holds}, which a file can hold. "
            f"Received: {type(value).__name__}."
        )

    def part(self, folder, suffix, content):
        """Put ``content`` aside as a part; return the part's name."""
        name = f"{folder}/{len(self.parts)}.{suffix}"
        self.parts[name] = content
        return name


class PartsReader:
    """The way back from what a `PartsWriter` made.

    Args:
        parts: dict of part name to bytes.
    """

    def __init__(self, parts):
        self.parts = parts

    def value(self, plain):
        """The value behind ``plain``; a `ValueError` where it is none, as `InputError` is."""
        if isinstance(plain, list):
            return [self.value(each) for each in plain]
        if not isinstance(plain, dict):
            return plain
        if len(plain) != 1:
            raise ValueError(f"{sorted(plain)} is no kind of value")
        ((kind, held),) = plain.items()
        return self.kind(kind, held)

    def kind(self, kind, held):
        """The value of one kind that JSON does not know."""
        if kind == "number" and held in _NO_NUMBERS:
            return float(held)
        if kind == "tuple" and isinstance(held, list):
            return tuple(self.value(each) for each in held)
        if kind == "dict" and isinstance(held, dict):
            return {key: self.value(each) for key, each in held.items()}
        if kind == "names" and isinstance(held, list):
            names = np.array(held, dtype=object)
            if all(isinstance(each, str) for each in names.flat):
                return names
        if kind == "array":
            return npy.parse(self.held(held), f"the part {held}")
        raise ValueError(f"{kind!r} is no kind of value")

    def held(self, part):
        """The bytes of a part."""
        if not isinstance(part, str) or part not in self.parts:
            raise InputError(f"Expected the file to hold the part {part!r}. Received: it does not.")
        return self.parts[part]
