"""Encoders of one column of a table as features: numbers, categories and dates.

The fitted values are numbers and text, so that a file can hold them.
"""

from __future__ import annotations

import math
import numbers
from collections import Counter
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

import numpy as np

from ae_multi.errors import InputError

_DAY = np.timedelta64(86_400_000_000, "us")
_EPOCH = np.datetime64(0, "us")
# Cycles of a date: length in days, and the number of a day within it that counts as its start.
_CYCLES = {"hour": 1.0, "weekday": 7.0, "month": 365.0}
_MONTHS = 12


@dataclass(frozen=True)
class NumberEncoder:
    """Encoder of numbers and booleans: the value, and whether it is missing.

    Attributes:
        median: value in place of a missing one, the median of the values in `fit`.
        varies: whether there is a feature for the value: it is not the same in all rows of `fit`.
        has_missing: whether there is a feature that is 1 if the value is missing.
    """

    kind: ClassVar[str] = "number"
    median: float
    varies: bool
    has_missing: bool

    @classmethod
    def fit(cls, values: np.ndarray) -> NumberEncoder:
        """Return the encoder of a column.

        Args:
            values: float64 (n,), NaN where a value is missing, not all NaN.
        """
        present = values[~np.isnan(values)]
        varies = bool(present.min() < present.max())
        return cls(float(np.median(present)), varies, len(present) < len(values))

    def features(self, column: str) -> list[str]:
        """Return the names of the features of the column of this name."""
        return [column] * self.varies + [f"{column} is missing"] * self.has_missing

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Return the features: float64 (n, features)."""
        missing = np.isnan(values)
        columns = [np.where(missing, self.median, values)] * self.varies
        return _stacked(len(values), columns + [missing] * self.has_missing)

    def check(self) -> None:
        """Raise `InputError` unless `fit` can set these values."""
        _check(_is_finite(self.median) and _are_booleans(self.varies, self.has_missing), self)


@dataclass(frozen=True)
class CategoryEncoder:
    """Encoder of text: a feature for each frequent category, for others, and for missing values.

    Attributes:
        categories: the most frequent categories in `fit`, the most frequent first.
    """

    kind: ClassVar[str] = "category"
    categories: tuple[str, ...]

    @classmethod
    def fit(cls, values: np.ndarray, most: int) -> CategoryEncoder:
        """Return the encoder of a column.

        Args:
            values: text (n,), None where it is missing.
            most: maximum number of categories. Of equally frequent ones the first in alphabetical
                order is kept.
        """
        counts = Counter(value for value in values if value is not None)
        order = sorted(counts, key=lambda value: (-counts[value], value))
        return cls(tuple(order[:most]))

    def features(self, column: str) -> list[str]:
        """Return the names of the features of the column of this name."""
        names = [f"{column}={category}" for category in self.categories]
        return [*names, f"{column} is other", f"{column} is missing"]

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Return the features: float64 (n, features), one of them 1 and the others 0."""
        places: dict[Any, int] = {name: place for place, name in enumerate(self.categories)}
        other = len(places)
        places[None] = other + 1
        codes = np.array([places.get(value, other) for value in values], np.intp)
        return np.eye(other + 2)[codes]

    def check(self) -> None:
        """Raise `InputError` unless `fit` can set these values."""
        names = self.categories
        is_tuple = isinstance(names, tuple) and all(isinstance(name, str) for name in names)
        _check(is_tuple and len(set(names)) == len(names), self)


@dataclass(frozen=True)
class DateEncoder:
    """Encoder of dates and times: elapsed days, the position in cycles, and missing values.

    The position in a cycle, such as the hour of the day, is the sine and cosine of an angle.

    Attributes:
        median: date in place of a missing one, in microseconds since 1970 (UTC).
        start: first date in `fit`, from which days are counted, in the same unit.
        elapsed: whether there is a feature for the elapsed days.
        cycles: the cycles that have features, of "hour", "weekday" and "month".
        has_missing: whether there is a feature that is 1 if the date is missing.
    """

    kind: ClassVar[str] = "date"
    median: int
    start: int
    elapsed: bool
    cycles: tuple[str, ...]
    has_missing: bool

    @classmethod
    def fit(cls, values: np.ndarray, elapsed: bool) -> DateEncoder:
        """Return the encoder of a column.

        A cycle has features if the dates extend over at least one period (a day, a week, a year)
        and are not all at the same position.

        Args:
            values: datetime64[us] (n,), NaT where a date is missing, not all NaT.
            elapsed: whether elapsed days are a feature.
        """
        present = np.sort(values[~np.isnat(values)])
        days = (present[-1] - present[0]) / _DAY
        cycles = tuple(
            name
            for name, period in _CYCLES.items()
            if days >= period and len(np.unique(_position(present, name))) > 1
        )
        middle = present[(len(present) - 1) // 2]  # a date that exists
        return cls(
            median=int((middle - _EPOCH).astype(np.int64)),
            start=int((present[0] - _EPOCH).astype(np.int64)),
            elapsed=elapsed,
            cycles=cycles,
            has_missing=len(present) < len(values),
        )

    def features(self, column: str) -> list[str]:
        """Return the names of the features of the column of this name."""
        waves = [f"{column} {cycle} {wave}" for cycle in self.cycles for wave in ("sin", "cos")]
        days = [f"{column} days"] * self.elapsed
        return [*days, *waves, *([f"{column} is missing"] * self.has_missing)]

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Return the features: float64 (n, features)."""
        missing = np.isnat(values)
        dates = np.where(missing, _EPOCH + np.timedelta64(self.median, "us"), values)
        columns = []
        if self.elapsed:
            columns.append((dates - (_EPOCH + np.timedelta64(self.start, "us"))) / _DAY)
        for cycle in self.cycles:
            angle = 2 * math.pi * _position(dates, cycle)
            columns += [np.sin(angle), np.cos(angle)]
        return _stacked(len(values), columns + [missing] * self.has_missing)

    def check(self) -> None:
        """Raise `InputError` unless `fit` can set these values."""
        cycles = self.cycles
        _check(
            _is_integer(self.median)
            and _is_integer(self.start)
            and _are_booleans(self.elapsed, self.has_missing)
            and isinstance(cycles, tuple)
            and list(cycles) == [name for name in _CYCLES if name in cycles],
            self,
        )


Encoder = NumberEncoder | CategoryEncoder | DateEncoder
_CLASSES = {cls.kind: cls for cls in (NumberEncoder, CategoryEncoder, DateEncoder)}


def encoder_to_plain(encoder: Encoder) -> dict[str, Any]:
    """Return an encoder as a dict of numbers and text."""
    return {"kind": encoder.kind, **asdict(encoder)}


def encoder_from_plain(plain: Any) -> Encoder:
    """Return the encoder of the dict from `encoder_to_plain`.

    Raises:
        InputError: another value.
    """
    values = dict(plain) if isinstance(plain, dict) else {}
    cls: Any = _CLASSES.get(str(values.pop("kind", None)))
    if cls is None or set(values) != {field.name for field in fields(cls)}:
        raise InputError(f"Expected the encoder of a column. Received: {plain!r:.80}.")
    encoder = cls(**values)
    encoder.check()
    return encoder


def _position(dates: np.ndarray, cycle: str) -> np.ndarray:
    """Return the position of dates in a cycle, from 0 to below 1."""
    if cycle == "hour":
        return (dates - dates.astype("datetime64[D]")) / _DAY
    if cycle == "weekday":
        return ((dates.astype("datetime64[D]").astype(np.int64) + 3) % 7) / 7  # Monday is 0
    return (dates.astype("datetime64[M]").astype(np.int64) % _MONTHS) / _MONTHS


def _stacked(rows: int, columns: list[np.ndarray]) -> np.ndarray:
    """Return columns as one float64 array (rows, columns), also if there are none."""
    return np.column_stack(columns).astype(np.float64) if columns else np.empty((rows, 0))


def _check(is_valid: bool, encoder: Encoder) -> None:
    if not is_valid:
        raise InputError(
            f"Expected the encoder of a column as `fit` sets it. Received: {encoder!r:.120}."
        )


def _is_integer(value: Any) -> bool:
    return type(value) is int and abs(value) < 2**62


def _is_finite(value: Any) -> bool:
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


def _are_booleans(*values: Any) -> bool:
    return all(type(value) is bool for value in values)
