"""Names, values and typical values of the columns of an array or data frame, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ae_multi.errors import InputError

_MAX_TEXT = 60


class Typical(NamedTuple):
    """Typical values of a column, as text.

    Attributes:
        middle: the median; of text, the most frequent value.
        low, high: the 5 % and 95 % quantiles; of text, the share of the most frequent value and
            the number of values.
    """

    middle: str
    low: str
    high: str

    @property
    def interval(self) -> str:
        """The typical interval in one text."""
        return f"{self.low} … {self.high}" if self.high else self.low


def percent(share: float) -> str:
    """Format a share as a percentage with two significant digits, above 10 % without decimals."""
    return f"{100 * share:.2g} %" if share < 0.0995 else f"{100 * share:.0f} %"


def rows_of(x: Any, rows: np.ndarray) -> Any:
    """Return some rows of an array or of a pandas or polars data frame."""
    return x.iloc[rows] if hasattr(x, "iloc") else x[rows]


def column_names(detector: Any, x: Any, errors: Any, given: Sequence[str] | None) -> list[str]:
    """Return the names of the columns of ``errors``.

    Args:
        detector: a fitted estimator.
        x: its samples.
        errors: contributions of columns, an array or data frame (n, columns).
        given: names; None takes those of ``errors``, of ``x``, or of the detector.

    Raises:
        InputError: another number of names, or one name twice.
    """
    count = np.shape(errors)[1]
    candidates = (
        [given]
        if given is not None
        else [
            getattr(errors, "columns", None),
            getattr(x, "columns", None),
            getattr(detector, "feature_names_in_", None),
            [f"column {number}" for number in range(1, count + 1)],
        ]
    )
    fitting = [list(map(str, names)) for names in candidates if names is not None]
    fitting = [names for names in fitting if len(names) == count]
    if not fitting or len(set(fitting[0])) < count:
        raise InputError(
            f"Expected columns to be {count} different names. "
            f"Received: {list(given) if given is not None else fitting[0]}."
        )
    return fitting[0]


def values_of_columns(x: Any, names: Sequence[str]) -> list[np.ndarray]:
    """Return the columns of an array or data frame, each of shape (n,).

    Args:
        x: array (n, columns), or a pandas or polars data frame.
        names: names of the columns; one that a data frame does not have is all missing.
    """
    known = [str(each) for each in getattr(x, "columns", names)]
    columns = []
    for name in names:
        if name in known:
            place = known.index(name)
            columns.append(np.asarray(x.iloc[:, place] if hasattr(x, "iloc") else x[:, place]))
        else:
            columns.append(np.full(len(x), np.nan))
    return columns


def typical_values(values: np.ndarray) -> Typical:
    """Return the typical values of a column (n,)."""
    numbers = _numbers(values)
    if numbers is not None and np.isfinite(numbers).any():
        known = numbers[np.isfinite(numbers)]
        return Typical(*(shown_value(value) for value in np.quantile(known, (0.5, 0.05, 0.95))))
    if values.dtype.kind == "M" and not np.isnat(values).all():
        known = np.sort(values[~np.isnat(values)])
        places = np.round(np.array((0.5, 0.05, 0.95)) * (len(known) - 1)).astype(int)
        return Typical(*(shown_value(value) for value in known[places]))
    words, counts = np.unique([shown_value(value) for value in values], return_counts=True)
    if not len(words):
        return Typical("", "", "")
    share = percent(counts.max() / len(values))
    number = "1 value" if len(words) == 1 else f"{len(words):,} values"
    return Typical(str(words[counts.argmax()]), f"{share} of {number}", "")


def shown_value(value: Any) -> str:
    """Return a value of a column as text of at most 60 characters."""
    if value is None or (np.isscalar(value) and value != value):  # None, NaN or NaT
        return "missing"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return str(value)
    if isinstance(value, float | np.floating):
        return f"{value:.4g}"
    if isinstance(value, np.datetime64):
        return str(value.astype("datetime64[ms]")).replace("T", " ").removesuffix(".000")
    text = str(value)
    if text in ("<NA>", "NaT"):  # of pandas
        return "missing"
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"


def _numbers(values: np.ndarray) -> np.ndarray | None:
    """Return numbers as float64, NaN where missing; None for other values."""
    if values.dtype.kind in "iuf":
        return values.astype(np.float64)
    if values.dtype.kind != "O" or any(isinstance(value, str | bool) for value in values):
        return None
    try:
        return np.array([np.nan if shown_value(v) == "missing" else float(v) for v in values])
    except (TypeError, ValueError):
        return None
