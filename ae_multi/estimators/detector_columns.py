"""Detection of anomalies in real tables: preprocessing, and the share of each column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from ae_multi.data.columns import CellError, Column, columns_of
from ae_multi.errors import InputError
from ae_multi.estimators.inputs import held_out
from ae_multi.estimators.preprocessing import TablePreprocessor
from ae_multi.estimators.scaling import Scaling, scale

# Fraction of the variance for which the code has as many numbers as principal components.
_EXPLAINED = 0.9


class ColumnsMixin:
    """Mixin of the detectors with the parameter ``preprocessor``."""

    preprocessor_: Any

    def column_errors(self: Any, X: Any) -> np.ndarray:  # noqa: N803
        r"""Return the contribution of each column of a table to the anomaly score.

        Args:
            X: table, as for `fit`.

        Returns:
            float64 of shape (n, columns), the sums of `feature_errors` over the features of each
            column of ``column_names_``.

        Raises:
            InputError: the detector was fitted to images, or as `anomaly_score`.
        """
        check_is_fitted(self)
        self._check_table()
        return self.sum_columns(self.feature_errors(X))

    def sum_columns(self: Any, errors: np.ndarray) -> np.ndarray:
        """Return the sums of errors (n, features) over the features of each column."""
        errors = errors.astype(np.float64)
        preprocessor = getattr(self, "preprocessor_", None)
        if preprocessor is None:
            return errors
        names = self.column_names_.tolist()
        sums = np.zeros((len(errors), len(names)))
        for feature, column in enumerate(preprocessor.source_.values()):
            sums[:, names.index(column)] += errors[:, feature]
        return sums

    @property
    def column_names_(self: Any) -> np.ndarray:
        """Names of the columns of `column_errors`: those that have features."""
        self._check_table()
        preprocessor = getattr(self, "preprocessor_", None)
        if preprocessor is not None:
            return np.array([*preprocessor.encoders_], dtype=object)
        numbered = [f"x{number}" for number in range(self.n_features_in_)]
        return getattr(self, "feature_names_in_", np.array(numbered, dtype=object))

    def _check_table(self: Any) -> None:
        if len(self.sample_shape_) > 1:
            raise InputError(
                "Expected a detector of tables. Received: one of images of shape "
                f"{self.sample_shape_}; feature_errors returns the errors of their values."
            )

    def _check_preprocessor(self: Any) -> None:
        if isinstance(self.preprocessor, TablePreprocessor):
            self.preprocessor.check_parameters()
        elif not (self.preprocessor is None or self.preprocessor == "auto"):
            raise InputError(
                "Expected preprocessor to be None, 'auto' or a TablePreprocessor, as from "
                f"make_preprocessor(). Received: {self.preprocessor!r:.80}."
            )

    def _fit_preprocessor(
        self: Any, columns: Mapping[str, Column], rows: np.ndarray, named: bool
    ) -> dict[str, Column]:
        """Fit a copy of the parameter ``preprocessor`` to some rows, and return these rows.

        Args:
            columns: columns of a table.
            rows: indices of the training rows.
            named: whether the table has names of columns.

        Raises:
            CellError: a value that its column cannot hold, with its row in ``columns``.
        """
        is_auto = isinstance(self.preprocessor, str)
        preprocessor = TablePreprocessor() if is_auto else clone(self.preprocessor)
        training = {name: column.take(rows) for name, column in columns.items()}
        try:
            self.preprocessor_ = preprocessor.fit_columns(training, named)
        except CellError as error:
            raise error.moved(int(rows[error.row])) from None
        return training


class RowColumnsMixin(ColumnsMixin):
    """Mixin of `AnomalyDetector`, for which each row of a table is a sample."""

    def _preprocessed(self: Any, x: Any, reset: bool) -> Any:
        """Return the features of the table ``x``; ``x`` itself without a preprocessor.

        Args:
            x: samples.
            reset: whether to fit the preprocessor, to the rows that are not held out.
        """
        if reset:
            self.preprocessor_ = self.code_size_ = None
            if self.preprocessor is not None:
                columns = columns_of(x)
                rows = self._training_rows(number_of_rows(columns))
                training = self._fit_preprocessor(columns, rows, hasattr(x, "columns"))
                self.code_size_ = _components(self.preprocessor_.encode(training), self.scale)
                return self.preprocessor_.encode(columns)
        preprocessor = getattr(self, "preprocessor_", None)
        return x if preprocessor is None else preprocessor.encode(columns_of(x))

    def _latent_dim(self: Any) -> int:
        if self.latent_dim == "auto" and self.preprocessor is not None:
            return self.code_size_
        return super()._latent_dim()  # type: ignore[misc]

    def _training_rows(self: Any, rows: int) -> np.ndarray:
        """Return the indices of the rows that are not held out for the threshold."""
        if self.contamination != "held_out" or rows < 2:
            return np.arange(rows)
        return held_out(self.seed_, "calibration", rows, self.validation_fraction)[0]


def number_of_rows(columns: Mapping[str, Column]) -> int:
    """Return the number of rows of columns by name."""
    return len(next(iter(columns.values())).values) if columns else 0


def _components(features: np.ndarray, kind: str | None) -> int:
    """Return the number of principal components that explain 90 % of the variance of features.

    Columns of a table that do not depend on each other need a code of as many numbers (cumulative
    percentage of total variation: Jolliffe, "Principal component analysis", 2002, section 6.1.1).

    Args:
        features: float64 (n, features).
        kind: parameter ``scale`` of the detector, by which they are scaled.
    """
    scaling = Scaling(kind, each=True)
    scaling.update(features)
    scaled = scale(features, *scaling.learned()).astype(np.float64)
    variances = np.linalg.eigvalsh(np.atleast_2d(np.cov(scaled, rowvar=False)))[::-1]
    explained = np.cumsum(np.maximum(variances, 0))
    return int(np.searchsorted(explained, _EXPLAINED * explained[-1])) + 1
