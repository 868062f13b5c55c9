"""Serialization of Python values to JSON, with arrays as separate parts."""

import io
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ae_multi.errors import InputError
from ae_multi.io import npy

_NON_FINITE = ("nan", "inf", "-inf")  # JSON cannot represent them


class PartsWriter:
    """Convert values to JSON, and arrays to parts.

    Attributes:
        parts: dict of part names to bytes, filled by `plain`.
        holds: description of the supported values, for error messages.
    """

    holds = "numbers or text"

    def __init__(self) -> None:
        self.parts: dict[str, bytes] = {}

    def plain(self, value: Any, name: str) -> Any:
        """Return ``value`` as JSON values.

        Args:
            value: None, a boolean, number or string, a NumPy number or array, or a list, tuple or
                dict of these.
            name: name of the value, for error messages.

        Raises:
            InputError: the value has another type.
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

    def part(self, folder: str, suffix: str, content: bytes) -> str:
        """Add ``content`` as a part and return the name of the part."""
        name = f"{folder}/{len(self.parts)}.{suffix}"
        self.parts[name] = content
        return name


class PartsReader:
    """Convert the JSON values and parts of a `PartsWriter` back to Python values.

    Args:
        parts: dict of part names to bytes.
    """

    def __init__(self, parts: Mapping[str, bytes]) -> None:
        self.parts = parts

    def value(self, plain: Any) -> Any:
        """Return the Python value of JSON values.

        Raises:
            ValueError: the JSON values are invalid (`InputError` is a ValueError).
        """
        if isinstance(plain, list):
            return [self.value(each) for each in plain]
        if not isinstance(plain, dict):
            return plain
        if len(plain) != 1:
            raise ValueError(f"{sorted(plain)} is not a type of value")
        ((kind, content),) = plain.items()
        return self.kind(kind, content)

    def kind(self, kind: str, content: Any) -> Any:
        """Return a value of a type that JSON does not have, from its type and JSON content."""
        if kind == "number" and content in _NON_FINITE:
            return float(content)
        if kind == "tuple" and isinstance(content, list):
            return tuple(self.value(each) for each in content)
        if kind == "dict" and isinstance(content, dict):
            return {key: self.value(each) for key, each in content.items()}
        if kind == "names" and isinstance(content, list):
            names = np.array(content, dtype=object)
            if all(isinstance(each, str) for each in names.flat):
                return names
        if kind == "array":
            return npy.parse(self.read_part(content), f"the part {content}")
        raise ValueError(f"{kind!r} is not a type of value")

    def read_part(self, part: Any) -> bytes:
        """Return the bytes of a part, or raise `InputError` if the file does not hold it."""
        if not isinstance(part, str) or part not in self.parts:
            raise InputError(f"Expected the file to hold the part {part!r}. Received: it does not.")
        return self.parts[part]
