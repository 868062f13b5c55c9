"""Detection of anomalies in real tables: preprocessing, and the share of each column."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from ae_multi.data.columns import columns_of
from ae_multi.errors import InputError
from ae_multi.estimators.inputs import held_out
from ae_multi.estimators.preprocessing import TablePreprocessor
from ae_multi.estimators.scaling import Scaling, scale

# Fraction of the variance for which the code has as many numbers as principal components.
_EXPLAINED = 0.9


class ColumnsMixin:
    """Mixin of `AnomalyDetector` with the parameter ``preprocessor``."""

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
        errors = self.feature_errors(X).astype(np.float64)
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

    def _preprocessed(self: Any, x: Any, reset: bool) -> Any:
        """Return the features of the table ``x``; ``x`` itself without a preprocessor.

        Args:
            x: samples.
            reset: whether to fit the preprocessor, to the rows that are not held out.
        """
        if reset:
            self.preprocessor_ = self.code_size_ = None
            if self.preprocessor is not None:
                is_auto = isinstance(self.preprocessor, str)
                preprocessor = TablePreprocessor() if is_auto else clone(self.preprocessor)
                columns = columns_of(x)
                training = self._training_rows(columns)
                self.preprocessor_ = preprocessor.fit_columns(training, hasattr(x, "columns"))
                self.code_size_ = _components(preprocessor.encode(training), self.scale)
                return preprocessor.encode(columns)
        preprocessor = getattr(self, "preprocessor_", None)
        return x if preprocessor is None else preprocessor.encode(columns_of(x))

    def _latent_dim(self: Any) -> int:
        if self.latent_dim == "auto" and self.preprocessor is not None:
            return self.code_size_
        return super()._latent_dim()  # type: ignore[misc]

    def _training_rows(self: Any, columns: dict) -> dict:
        """Return the rows of the columns that are not held out for the threshold."""
        rows = len(next(iter(columns.values())).values) if columns else 0
        if self.contamination != "held_out" or rows < 2:
            return columns
        kept = held_out(self.seed_, "calibration", rows, self.validation_fraction)[0]
        return {name: column.take(kept) for name, column in columns.items()}


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
