"""Anomaly detection by the reconstruction error of an autoencoder."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_is_fitted

from ae_multi._keras import keras
from ae_multi.argument_checks import as_plain, check_positive
from ae_multi.baselines import flat
from ae_multi.errors import InputError
from ae_multi.estimators import combined_score, neighbors, thresholds
from ae_multi.estimators.base import NetworkEstimator
from ae_multi.estimators.chunks import Chunks
from ae_multi.estimators.combined_layer import CombinedScore
from ae_multi.estimators.detector_columns import RowColumnsMixin
from ae_multi.estimators.graph_layers import Label, ManifoldScore, Score
from ae_multi.estimators.inputs import held_out
from ae_multi.estimators.parameters import check_contamination, check_number
from ae_multi.estimators.preprocessing import TablePreprocessor
from ae_multi.estimators.scaling import scale
from ae_multi.estimators.score_reference import ScoreReferenceMixin
from ae_multi.estimators.scores import as_rows, manifold_errors, mean, squared_errors
from ae_multi.models.base import predict_float32


class AnomalyDetector(OutlierMixin, RowColumnsMixin, ScoreReferenceMixin, NetworkEstimator):
    r"""Detector of samples that differ from the training data.

    Has the parameters and attributes of `NetworkEstimator`; the parameters below are added. With x̂
    the reconstruction of a sample x, in scaled values, ``criterion`` names the anomaly score:

    "mse" is the mean of (x - x̂)², the squared distance from the sample to the manifold learned by
    the network (Sakurada & Yairi, MLSDA 2014).

    "combined", the default for tables, is log(1 + Σⱼ wⱼ exp zⱼ). Each zⱼ is the logarithm of one
    error of the row, minus its median and divided by its spread in the training rows. The errors
    are that of the reconstruction; the residual of a quarter of the principal components, with a
    weight of 4; the mean squared distances to the nearest stored training rows and to the nearest
    tenth of them; and the rarity of the single values. A row is anomalous if one of the errors is
    large, or several are fairly large.

    "manifold", the default for images, is the mean over the values of

        (x - x̂)² + w meanₖ (x̂ - x̂ₖ)²,

    where x̂ₖ are the reconstructions of training samples nearest to x̂. A network also reconstructs
    points well that lie between or beyond all training samples; the second term is the squared
    distance from such a point to reconstructed training samples (mean over neighbors: Angiulli &
    Pizzuti, PKDD 2002; reconstructions built from normal samples: Gong et al., "Memorizing
    normality to detect anomaly", ICCV 2019). Images and their reconstructions are first divided by
    their root mean square, so the score measures the angle between them: in an image of thin
    strokes all errors are small. Rows of pixels count as images if ``image_shape`` is set.

    Args:
        contamination (float, "auto" or "held_out", default "auto"): how the threshold is chosen.
            A number in (0, 0.5] is the fraction of training samples above the threshold. "auto" is
            Tukey's fence, for training samples of which less than a quarter are anomalies.
            "held_out" holds out the fraction ``validation_fraction`` of the samples, which must be
            normal, and chooses the threshold for the rate ``false_alarm_rate`` of false alarms.
        false_alarm_rate (float, default 0.05): probability of a false alarm, for "held_out" and
            `calibrate`; between 0 and 1.
        criterion ("auto", "combined", "manifold" or "mse", default "auto"): the score. "auto" is
            "combined" for tables and "manifold" for images.
        neighbors (int or "auto", default "auto"): number of nearest training samples. "auto" is 5
            with "combined". With "manifold" it is 3 for images and a tenth of the stored samples
            for tables, so that groups of anomalous rows in the training data are too small to
            appear normal.
        weight (float or "auto", default "auto"): w of "manifold", above 0. "auto" is 2 for images
            and 1 for tables.
        preprocessor (None, "auto" or TablePreprocessor, default None): "auto" is
            `make_preprocessor()`, for tables with missing values, categories and dates; all methods
            then take such tables. It is fitted to the training rows; with `fit_chunks` and
            `partial_fit`, to those of the first chunk. With one, ``latent_dim="auto"`` is the
            number of principal components that explain 90 % of the variance of its features. None
            is for numbers.

    Attributes:
        offset\_: threshold of `score_samples`; samples below it are anomalies.
        codes\_: codes of up to 8,000 training samples with the criterion "manifold"; `partial_fit`
            stores those of its latest chunk. None with others.
        score_constants\_: fitted constants of the criterion "combined", with up to 3,000 training
            rows: dict of float32 arrays. None with others.
        neighbors\_: number of neighbors; None with the criterion "mse".
        weight\_: w; None with other criteria than "manifold".
        criterion\_: the score of the fitted detector: "combined", "manifold" or "mse".
        preprocessor\_: the fitted preprocessor, or None. With one, ``n_features_in_`` is the number
            of its features.
        code_size\_: size of the code for ``latent_dim="auto"`` with a preprocessor, otherwise None.
        column_names\_: names of the columns of `column_errors`.
        reference\_: whose scores `predict_proba` and `check` compare with: "training", "held_out"
            or "calibration".
        reference_scores\_, reference_count\_: up to 2,000 quantiles of these scores, and their
            number.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> t = rng.uniform(-1, 1, (500, 1))
        >>> normal = np.hstack([t, t**2, -t]) + rng.normal(0, 0.01, (500, 3))
        >>> detector = AnomalyDetector(latent_dim=1, contamination="held_out").fit(normal)
        >>> detector.predict([[0.5, 0.25, -0.5], [0.5, 0.25, 0.5]])
        array([ 1, -1])
    """

    def __init__(
        self,
        model: str | keras.Model = "deep",
        *,
        contamination: float | Literal["auto", "held_out"] = "auto",
        false_alarm_rate: float = 0.05,
        criterion: Literal["auto", "combined", "manifold", "mse"] = "auto",
        neighbors: int | Literal["auto"] = "auto",
        weight: float | Literal["auto"] = "auto",
        preprocessor: TablePreprocessor | Literal["auto"] | None = None,
        latent_dim: int | Literal["auto"] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        activation: str = "auto",
        image_shape: Sequence[int] | None = None,
        scale: Literal["minmax", "standard"] | None = "minmax",
        loss: str = "mse",
        epochs: int | Literal["auto"] = "auto",
        batch_size: int = 128,
        learning_rate: float = 1e-3,
        schedule: Literal["cosine"] | None = "cosine",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 10,
        random_state: int | np.random.RandomState | None = 0,
        checkpoint: os.PathLike[str] | str | None = None,
        checkpoint_every: str = "1 epoch",
        verbose: bool | int = 0,
    ) -> None:
        super().__init__(
            model,
            latent_dim=latent_dim,
            hidden=hidden,
            activation=activation,
            image_shape=image_shape,
            scale=scale,
            loss=loss,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            schedule=schedule,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            patience=patience,
            random_state=random_state,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            verbose=verbose,
        )
        self.contamination = contamination
        self.false_alarm_rate = false_alarm_rate
        self.criterion = criterion
        self.neighbors = neighbors
        self.weight = weight
        self.preprocessor = preprocessor

    @property
    def criterion_(self) -> Literal["combined", "manifold", "mse"]:
        """Score of the fitted detector."""
        if self._score_constants() is not None:
            return "combined"
        # Older files have no codes; their threshold is that of the mean squared error.
        return "mse" if getattr(self, "codes_", None) is None else "manifold"

    def calibrate(
        self,
        X: ArrayLike,  # noqa: N803
        false_alarm_rate: float | None = None,
    ) -> Self:
        """Set the threshold from normal samples X that were not used in training.

        `predict_proba` and `check` compare with their scores from then on.

        Args:
            X: samples, at least 1/rate - 1.
            false_alarm_rate: probability of a false alarm; None for the parameter
                ``false_alarm_rate``.

        Returns:
            The estimator.

        Raises:
            InputError: too few samples for the rate.
        """
        rate = as_plain(self.false_alarm_rate if false_alarm_rate is None else false_alarm_rate)
        check_number("false_alarm_rate", rate, 0, 1)
        scores = self.anomaly_score(X)
        self.offset_ = -thresholds.calibrated(scores, rate)
        self._set_reference(scores, "calibration")
        return self

    def score_samples(self, X: ArrayLike) -> np.ndarray:  # noqa: N803
        """Return the negative of `anomaly_score`: float64 of shape (n,), at most 0."""
        return -self.anomaly_score(X)

    def anomaly_score(self, X: ArrayLike) -> np.ndarray:  # noqa: N803
        """Return the mean of `feature_errors` of each sample: float64 of shape (n,)."""
        return self._scores(self._checked(X))

    def decision_function(self, X: ArrayLike) -> np.ndarray:  # noqa: N803
        """Return `score_samples` minus ``offset_``: float64 (n,), below 0 for anomalies."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: ArrayLike) -> np.ndarray:  # noqa: N803
        """Return 1 for normal samples and -1 for anomalies: integers of shape (n,)."""
        return self._labels(self.anomaly_score(X))

    def feature_errors(self, X: ArrayLike) -> np.ndarray:  # noqa: N803
        r"""Return the contribution of each value to the anomaly score.

        Returns:
            float32 of shape (n, features), whose mean over a row is `anomaly_score`; for images
            an error map of each image, (n, \*image shape).
        """
        return np.concatenate(list(self._errors(self._checked(X))))

    def _check_parameters(self):
        super()._check_parameters()
        self._check_preprocessor()
        check_contamination(self.contamination, self.false_alarm_rate)
        if self.criterion not in ("auto", "combined", "manifold", "mse"):
            raise InputError(
                "Expected criterion to be 'auto', 'combined', 'manifold' or 'mse'. "
                f"Received: {self.criterion!r}."
            )
        if self.neighbors is None:
            raise InputError("Expected neighbors to be an integer or 'auto'. Received: None.")
        if self.neighbors != "auto":
            check_positive(neighbors=self.neighbors)
        if self.weight != "auto":
            check_number("weight", self.weight, 0, math.inf)

    _required_attributes = ("offset_",)

    def _take(self, x, y, reset):
        return super()._take(self._preprocessed(x, reset), y, reset)

    def _checked(self, x):
        check_is_fitted(self)
        return super()._checked(self._preprocessed(x, reset=False))

    def _begin(self, chunks):
        # Held-out samples must not influence training, nor the scaling.
        super()._begin(self._split_chunks(chunks, 0))
        if self.contamination == "held_out":  # report too few samples before training
            count = sum(len(x) for x, _ in self._split_chunks(chunks, 1))
            thresholds.calibrated(np.zeros(count), self.false_alarm_rate)

    def _train(self, chunks, epochs, rate, in_memory):
        super()._train(self._split_chunks(chunks, 0), epochs, rate, in_memory)

    def _finish(self, chunks):
        self.codes_ = self.score_constants_ = self.neighbors_ = self.weight_ = None
        criterion = self._criterion()
        training_samples = (self._scaled(x) for x, _ in self._split_chunks(chunks, 0))
        if criterion == "combined":
            limit = combined_score.MAX_ROWS
            stored = neighbors.draw_samples(training_samples, self.seed_, limit)
            automatic = self.neighbors == "auto"
            self.neighbors_ = combined_score.NEIGHBORS if automatic else int(self.neighbors)
            self.score_constants_ = combined_score.fit(
                flat(stored), flat(self._outputs(stored)), self.neighbors_
            )
        elif criterion == "manifold":
            stored = neighbors.draw_samples(training_samples, self.seed_)
            self.codes_ = predict_float32(self.network_.encoder, stored)
            has_images = self._has_images()
            count = neighbors.number_of(self.neighbors, len(stored), has_images)
            self.neighbors_ = int(count)
            self.weight_ = float(neighbors.weight_of(self.weight, has_images))
        errors = [self._scores(self._scaled(x)) for x, _ in self._split_chunks(chunks, 1)]
        errors = np.concatenate(errors)
        if self.contamination == "held_out":
            limit = thresholds.calibrated(errors, self.false_alarm_rate)
        elif self.contamination == "auto":
            limit = thresholds.fence(errors)
        else:
            limit = thresholds.share(errors, self.contamination)
        self.offset_ = -limit
        self._set_reference(errors, "held_out" if self.contamination == "held_out" else "training")

    def _labels(self, scores: np.ndarray) -> np.ndarray:
        return np.where(-scores - self.offset_ < 0, -1, 1)

    def _scores(self, scaled: np.ndarray) -> np.ndarray:
        constants = self._score_constants()
        if constants is not None:
            return combined_score.scores(flat(scaled), flat(self._outputs(scaled)), constants)
        return np.concatenate([mean(errors) for errors in self._errors(scaled)])

    def _errors(self, scaled: np.ndarray) -> Iterator[np.ndarray]:
        r"""Yield the terms of the score in batches: float32 of shape (batch, \*sample shape)."""
        outputs = self._outputs(scaled)
        constants = self._score_constants()
        if constants is not None:
            errors = combined_score.contributions(flat(scaled), flat(outputs), constants)
            yield errors.reshape(scaled.shape)
            return
        if self.criterion_ == "mse":
            yield squared_errors(scaled, outputs)
            return
        known = predict_float32(self.network_.decoder, self.codes_)
        count, weight = self._neighbors_and_weight()
        for rows in neighbors.blocks(len(scaled), self.n_features_in_):
            yield manifold_errors(scaled[rows], outputs[rows], known, count, weight)

    def _criterion(self) -> str:
        if self.criterion != "auto":
            return self.criterion
        return "manifold" if self._has_images() else "combined"

    def _score_constants(self) -> dict[str, np.ndarray] | None:
        # Older files lack the attribute.
        return getattr(self, "score_constants_", None)

    def _has_images(self) -> bool:
        return len(self.sample_shape_) > 1

    def _neighbors_and_weight(self) -> tuple[int, float]:
        """Return the number of neighbors and the weight w of the second term."""
        if hasattr(self, "neighbors_"):
            return self.neighbors_, self.weight_
        # Older files do not store them; their threshold was computed with ten neighbors for images.
        count = 10 if self.neighbors == "auto" and self._has_images() else self.neighbors
        return neighbors.number_of(count, len(self.codes_), images=False), 1.0

    def _graph_outputs(self, scaled, outputs):
        score = self._graph_score([scaled, outputs])
        label = Label.of(limit=-self.offset_)(score)
        return {**super()._graph_outputs(scaled, outputs), "score": score, "label": label}

    def _expected_outputs(self, scaled):
        score = self._scores(scaled)
        return {**super()._expected_outputs(scaled), "score": score, "label": self._labels(score)}

    def _graph_score(self, pair: list) -> Any:
        """Return the symbolic scores of [scaled samples, network outputs]."""
        constants = self._score_constants()
        if constants is not None:
            arrays = {name: value for name, value in constants.items() if name != "count"}
            return CombinedScore.of(int(constants["count"]), **arrays)(pair)
        if self.criterion_ == "mse":
            return Score()(pair)
        known = as_rows(predict_float32(self.network_.decoder, self.codes_))
        count, weight = self._neighbors_and_weight()
        first, last = neighbors.places(count, len(known))
        centre = known.mean(axis=0)
        settings = (first, last, weight, self._has_images())
        return ManifoldScore.of(*settings, known=known - centre, centre=centre)(pair)

    def _sizes(self, expected):
        # An error d of the reconstruction changes the mean of the squares r² by up to 2 r d,
        # a large relative change if r is small compared with the values.
        known = scale(expected["reconstruction"], self.input_offset_, self.input_span_)
        constants = self._score_constants()
        if constants is not None:
            largest = combined_score.sensitivity(flat(known), constants)
            return {"score": max(np.max(expected["score"]), largest)}
        score = square = np.max(expected["score"])
        if self.criterion_ == "manifold":
            known = as_rows(known)
            # The score is a mean of w r²; its change depends on w² r².
            square = score * max(self._neighbors_and_weight()[1], 1)
        return {"score": max(score, 2 * np.sqrt(square) * np.max(abs(known)))}

    def _decided(self, expected, rounding):
        limit = rounding * self._sizes(expected)["score"]
        return {"label": abs(expected["score"] + self.offset_) > limit}

    def _split_chunks(self, chunks: Iterable[tuple], which: int) -> Iterable[tuple]:
        """Return the chunks for training (0) or for the threshold (1)."""
        if self.contamination != "held_out":
            return chunks

        def selected():
            for number, (x, y) in enumerate(chunks):
                rows = held_out(
                    self.seed_, "calibration", len(x), self.validation_fraction, number
                )[which]
                yield x[rows], y

        return Chunks(selected)
