"""Preprocessing of series whose columns hold missing values, categories or dates."""

from __future__ import annotations

from typing import Any

import numpy as np

from ae_multi.data.columns import CellError, Column, columns_of, concatenate
from ae_multi.estimators.detector_columns import ColumnsMixin, number_of_rows
from ae_multi.estimators.window_estimator import is_list, series_of


class SeriesColumnsMixin(ColumnsMixin):
    """Mixin of `TimeSeriesDetector`, for which the rows of a table are timestamps."""

    def column_errors(self: Any, X: Any) -> Any:  # noqa: N803
        """Return the error of each timestamp and column.

        Args:
            X: one series or a list of series.

        Returns:
            float64 of shape (timestamps, columns), the sums of `feature_errors` over the features
            of each column of ``column_names_``; a list of such arrays for a list of series.
        """
        errors = self.feature_errors(X)
        return [*map(self.sum_columns, errors)] if is_list(X) else self.sum_columns(errors)

    def _sensor_names(self: Any) -> Any:
        """Return the names of the features for intervals: those of columns, or None for none."""
        preprocessor = getattr(self, "preprocessor_", None)
        if preprocessor is not None:
            return [*preprocessor.source_.values()]
        return getattr(self, "feature_names_in_", None)

    def _prepared_series(self: Any, x: Any, reset: bool) -> list[tuple[Any, str]]:
        pairs = series_of(x)
        features = self._features([series for series, _ in pairs], reset, is_list(x))
        return [(each, where) for each, (_, where) in zip(features, pairs, strict=True)]

    def _take(self: Any, x: Any, y: Any, reset: bool) -> tuple[np.ndarray, None]:
        [features] = self._features([x], reset, numbered=False)
        return super()._take(features, y, reset)  # type: ignore[misc]

    def _features(self: Any, series: list, reset: bool, numbered: bool) -> list:
        """Return the features of series; the series themselves without a preprocessor.

        Args:
            series: tables.
            reset: whether to fit the preprocessor, to the timestamps for training.
            numbered: whether messages give the index of the series.
        """
        if reset:
            self.preprocessor_ = None
        if (self.preprocessor if reset else getattr(self, "preprocessor_", None)) is None:
            return series
        tables = [columns_of(each) for each in series]
        begins = np.cumsum([0, *map(number_of_rows, tables)])
        if reset:
            try:
                rows = self._training_rows(begins)
                self._fit_preprocessor(concatenate(tables), rows, hasattr(series[0], "columns"))
            except CellError as error:
                number = int(np.searchsorted(begins, error.row, "right")) - 1
                row = error.row - int(begins[number])
                raise error.moved(row, series=number if numbered else None) from None
        return [
            self._encoded(table, number if numbered else None)
            for number, table in enumerate(tables)
        ]

    def _encoded(self: Any, table: dict[str, Column], number: int | None) -> np.ndarray:
        try:
            return self.preprocessor_.encode(table)
        except CellError as error:
            raise error.moved(error.row, series=number) from None

    def _training_rows(self: Any, begins: np.ndarray) -> np.ndarray:
        """Return the indices of the timestamps for training in all series, one after another.

        Args:
            begins: index of the first timestamp of each series, and the number of all.
        """
        return np.concatenate(
            [
                np.arange(part.start, part.stop) + begin
                for number, (begin, count) in enumerate(
                    zip(begins[:-1], np.diff(begins), strict=True)
                )
                for part in self._split_of(number, int(count)).train
            ]
        )
