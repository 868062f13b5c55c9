"""Preprocessing of real tables: columns of numbers, categories, dates and missing values."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ae_multi.argument_checks import as_plain, check_size
from ae_multi.data.cells import have_decimal_commas
from ae_multi.data.columns import Column, columns_of, convert
from ae_multi.errors import InputError
from ae_multi.estimators.column_encoders import (
    CategoryEncoder,
    DateEncoder,
    Encoder,
    NumberEncoder,
)
from ae_multi.estimators.column_kinds import LEFT_OUT, TYPES, kind_of

_log = logging.getLogger("ae_multi")


class TablePreprocessor(TransformerMixin, BaseEstimator):
    r"""Transformer of the columns of a table to numbers without missing values.

    X is a data frame of pandas or Polars, or an array of shape (n, columns), whose columns are
    named "x0", "x1" and so on. The kind of each column is chosen in `fit`:

    ============  ====================================  ===========================================
    kind          columns                               features
    ============  ====================================  ===========================================
    "number"      numbers, durations in seconds         the value, and whether it is missing
    "boolean"     true and false                        the same
    "category"    text, declared categories             one for each of the ``max_categories`` most
                                                        frequent ones, one for others, one for
                                                        missing
    "date"        dates and times                       days since the first date, sine and cosine
                                                        of hour, weekday and month, and whether it
                                                        is missing
    "clock"       dates that never decrease from row    those of a date without the days
                  to row
    "identifier"  integers that number the rows, text   none
                  of which nearly all is distinct
    "constant"    one value                             none
    ============  ====================================  ===========================================

    A missing number is replaced by the median, and a missing date by the median date. The feature
    "is missing" of a number or date exists if values are missing in `fit`. Hour, weekday and month
    have features if the dates extend over a day, a week or a year and vary within it. Text that
    holds only numbers, only true and false, or only dates in the form of ISO 8601 is of these
    kinds. Time zones are converted to UTC. Empty text is missing.

    Columns are matched by name: their order does not matter, and others are ignored with a message
    in the log.

    Args:
        max_categories (int, default 20): maximum number of categories of a column that have a
            feature of their own.
        kinds (dict of str or None, default None): kinds of columns that `fit` does not choose, by
            name: "number", "boolean", "category", "date", "clock" or "identifier".
        drop (sequence of str or None, default None): names of columns that are left out.

    Attributes:
        columns\_: kind of each column of `fit`, by name; "dropped" for those of ``drop``.
        encoders\_: encoder of each column that has features, by name.
        left_out\_: names of the columns without features.
        feature_names_out\_: names of the features.
        source\_: name of the column of each feature, by the name of the feature.
        n_features_in\_, feature_names_in\_: as in scikit-learn.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"speed": [1.0, None, 3.0], "state": ["on", "off", "on"]})
        >>> preprocessor = TablePreprocessor().fit(frame)
        >>> preprocessor.columns_
        {'speed': 'number', 'state': 'category'}
        >>> preprocessor.transform(frame)[1]
        array([2., 1., 0., 1., 0., 0.])
    """

    def __init__(
        self,
        *,
        max_categories: int = 20,
        kinds: Mapping[str, str] | None = None,
        drop: Sequence[str] | None = None,
    ) -> None:
        self.max_categories = max_categories
        self.kinds = kinds
        self.drop = drop

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803
        """Choose the kinds of the columns and fit their encoders.

        Args:
            X: table.
            y: ignored; present for API consistency.

        Returns:
            The fitted preprocessor.

        Raises:
            InputError: invalid parameters, a value that its column cannot hold, or no column with
                features.
        """
        return self.fit_columns(columns_of(X), hasattr(X, "columns"))

    def transform(self, X: Any) -> np.ndarray:  # noqa: N803
        """Return the features of each row: float64 of shape (n, features).

        Args:
            X: table with the columns of `fit`.

        Raises:
            InputError: missing columns, or a value that its column cannot hold; the message names
                row and column.
        """
        check_is_fitted(self)
        return self.encode(columns_of(X))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return ``feature_names_out_``.

        Args:
            input_features: ignored; present for API consistency.
        """
        check_is_fitted(self)
        return self.feature_names_out_

    @property
    def feature_names_out_(self) -> np.ndarray:
        """Names of the features."""
        return np.array([*self.source_], dtype=object)

    @property
    def source_(self) -> dict[str, str]:
        """Name of the column of each feature, by the name of the feature."""
        sources: dict[str, str] = {}
        for column, encoder in self.encoders_.items():
            for name in encoder.features(column):
                while name in sources:  # a category may have the name of another feature
                    name += "'"
                sources[name] = column
        return sources

    @property
    def left_out_(self) -> list[str]:
        """Names of the columns without features."""
        return [name for name in self.columns_ if name not in self.encoders_]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    def check_parameters(self) -> None:
        """Raise `InputError` for invalid parameters."""
        check_size("max_categories", as_plain(self.max_categories))
        if isinstance(self.drop, str):
            raise InputError(f"Expected drop to be a list of names. Received: {self.drop!r}.")
        if not isinstance(self.kinds, Mapping | None):
            raise InputError(
                "Expected kinds to be a dict from names of columns to kinds. "
                f"Received: {self.kinds!r:.80}."
            )
        for name, kind in (self.kinds or {}).items():
            if not isinstance(kind, str) or kind not in TYPES:
                raise InputError(
                    f"Expected kinds among {', '.join(TYPES)}. Received: {kind!r:.60} for {name!r}."
                )

    def fit_columns(self, columns: Mapping[str, Column], named: bool) -> Self:
        """Fit to columns by name, as `fit` does.

        Args:
            columns: the columns.
            named: whether X has names of columns.
        """
        self.check_parameters()
        drop = {str(name) for name in self.drop or ()}
        chosen = {str(name): kind for name, kind in (self.kinds or {}).items()}
        unknown = [name for name in (*drop, *chosen) if name not in columns]
        if unknown:
            raise InputError(
                f"Expected names of columns of X, {_listed(columns)}. Received: {unknown[0]!r}."
            )
        kinds: dict[str, str] = {}
        encoders: dict[str, Encoder] = {}
        for name, column in columns.items():
            if name in drop:
                kinds[name] = "dropped"
                continue
            kind = chosen.get(name) or kind_of(column, name, self.max_categories)
            if kind not in LEFT_OUT:
                if column.missing.all():
                    kind = "constant"
                else:
                    encoder = self._encoder(column, kind, name)
                    if encoder.features(name):
                        encoders[name] = encoder
                    elif kind != "clock":
                        kind = "constant"
            kinds[name] = kind
        free = {name: each for name, each in columns.items() if name not in {*drop, *chosen}}
        hint = _hint_at_commas(free)
        if not encoders:
            raise InputError(
                "Expected at least one column of numbers, categories or dates that varies. "
                f"Received: {', '.join(f'{name} ({kind})' for name, kind in kinds.items())}."
                + (f" {hint}" if hint else "")
            )
        self.set_state(kinds, encoders, named)
        out = [
            f"{name} ({kind})"
            for name, kind in kinds.items()
            if name not in encoders and kind != "dropped"
        ]
        if out:
            _log.warning("Left out of the features: %s.", ", ".join(out))
        if hint:
            _log.warning("%s", hint)
        return self

    def set_state(self, columns: dict[str, str], encoders: dict[str, Encoder], named: bool) -> None:
        """Set the fitted attributes from the kinds and the encoders of columns by name."""
        self.columns_, self.encoders_ = columns, encoders
        self.n_features_in_ = len(columns)
        if named:
            self.feature_names_in_ = np.array([*columns], dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        self._ignored: set[str] = set()

    def _encoder(self, column: Column, kind: str, name: str) -> Encoder:
        values = convert(column, TYPES[kind], name)
        if kind == "category":
            return CategoryEncoder.fit(values, self.max_categories)
        if kind in ("date", "clock"):
            return DateEncoder.fit(values, elapsed=kind == "date")
        return NumberEncoder.fit(values)

    def encode(self, columns: Mapping[str, Column]) -> np.ndarray:
        """Return the features of columns by name: float64 of shape (n, features)."""
        absent = [name for name in self.encoders_ if name not in columns]
        if absent:
            raise InputError(f"Expected the columns of fit. Received: X without {_listed(absent)}.")
        ignored = {name for name in columns if name not in self.columns_} - self._ignored
        if ignored:
            self._ignored |= ignored
            _log.warning("Ignored columns that fit has not seen: %s.", _listed(sorted(ignored)))
        return np.hstack(
            [
                encoder.encode(convert(columns[name], TYPES[self.columns_[name]], name))
                for name, encoder in self.encoders_.items()
            ]
        )


def make_preprocessor(
    *,
    max_categories: int = 20,
    kinds: Mapping[str, str] | None = None,
    drop: Sequence[str] | None = None,
) -> TablePreprocessor:
    """Return a `TablePreprocessor`, which turns the columns of a real table into numbers.

    Args:
        max_categories: maximum number of categories of a column that have a feature of their own.
        kinds: kinds of columns that `fit` does not choose, by name.
        drop: names of columns that are left out.
    """
    return TablePreprocessor(max_categories=max_categories, kinds=kinds, drop=drop)


def _hint_at_commas(columns: Mapping[str, Column]) -> str:
    """Return a sentence that names the columns of numbers with decimal commas, or ""."""
    found = [
        name
        for name, column in columns.items()
        if column.type == "text" and not column.is_category and have_decimal_commas(column.values)
    ]
    if not found:
        return ""
    return (
        "Columns that look like numbers with a decimal comma, but were read as text: "
        f"{_listed(found)}. On the command line, --decimal , reads them as numbers; in Python, "
        "decimal=',' of pandas.read_csv."
    )


def _listed(names: Any, most: int = 10) -> str:
    names = [repr(name) for name in names]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
