"""Anomaly detection in time series by the reconstruction errors of windows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, Self

import numpy as np
from scipy.ndimage import convolve1d
from sklearn.base import OutlierMixin

from ae_multi._keras import keras
from ae_multi.argument_checks import as_plain, check_positive
from ae_multi.errors import InputError
from ae_multi.estimators import thresholds, windows
from ae_multi.estimators.chunks import Chunks
from ae_multi.estimators.intervals import AnomalyInterval, join
from ae_multi.estimators.normal_errors import normal_errors, two_valued
from ae_multi.estimators.parameters import check_contamination, check_number
from ae_multi.estimators.preprocessing import TablePreprocessor
from ae_multi.estimators.series_columns import SeriesColumnsMixin
from ae_multi.estimators.window_estimator import WindowEstimator, is_list
from ae_multi.models.base import predict_float32

# Maximum number of bytes of windows that are copied at once in scoring.
MAX_SCORING_BYTES = 2**25


class TimeSeriesDetector(OutlierMixin, SeriesColumnsMixin, WindowEstimator):
    r"""Detector of timestamps and sensors at which a time series differs from the training data.

    X is a series of shape (timestamps, sensors), an array or data frame, or a list of such series
    of different lengths; for a list, methods return a list. Each series is cut into windows, an
    autoencoder learns to reconstruct them, and the error of a timestamp and sensor is the mean over
    the windows that contain it of the squared error of the reconstruction. Errors are averaged over
    ``smoothing`` timestamps (Hundman et al., "Detecting spacecraft anomalies using LSTMs and
    nonparametric dynamic thresholding", KDD 2018, section 3.2) and divided by the normal error of
    the sensor, which makes sensors comparable. The anomaly score of a timestamp is the mean over
    the sensors; it is about 1 for normal timestamps.

    The windows of a timestamp extend up to ``window`` - 1 timestamps into its past and future.

    Neighboring timestamps are alike, so segments of time are held out of training, with gaps, for
    the normal errors and the threshold; see `ae_multi.estimators.windows.split`. A series of fewer
    than five windows is trained on as a whole.

    Windows are copied in parts of at most 256 MiB in training and 32 MiB in scoring; cutting a part
    takes about twice that. Longer data
    are trained on in parts that each take every n-th window. The parameters that
    `NetworkEstimator` describes have the same meaning here.

    Args:
        window (int, default 64): number of timestamps in a window, at most those of a series.
        stride (int, default 8): distance of two windows, at most ``window``. An extra last window
            covers the end of a series.
        model (str or keras.Model, default "conv"): "conv" (strided 1D convolutions), "lstm" (an
            LSTM encoder-decoder; Malhotra et al., 2016), "deep" (dense layers), or a Keras model
            as in `NetworkEstimator`, for samples of shape (window, sensors).
        latent_dim (int or "auto", default "auto"): size of the code. "auto" is a sixteenth of the
            number of values of a window, clipped to [4, 32].
        hidden (sequence of int or "auto", default "auto"): numbers of filters, of LSTM units or of
            dense units of the encoder's layers. "auto" is (32, 64, 64) for "conv", (64,) for "lstm"
            and (256,) for "deep".
        smoothing (int, default 9): number of timestamps of the centred moving mean of errors; 1
            does not smooth.
        contamination (float, "auto" or "held_out", default "auto"): how the threshold is chosen. A
            number in (0, 0.5] is the fraction of timestamps in `fit` above the threshold. "auto" is
            Tukey's fence of the held-out timestamps. "held_out" chooses the threshold for the rate
            ``false_alarm_rate``; the held-out timestamps must be normal.
        false_alarm_rate (float, default 0.05): expected fraction of normal timestamps above the
            threshold, for "held_out" and `calibrate`. It needs at least 1/rate - 1 held-out blocks
            of ``window`` timestamps.
        preprocessor (None, "auto" or TablePreprocessor, default None): "auto" is
            `make_preprocessor()`, for tables with missing values, categories and dates; all methods
            then take such tables. It is fitted to the timestamps for training of all series; with
            `fit_chunks` and `partial_fit`, to those of the first chunk. Each of its features is a
            sensor, and intervals name columns. None is for numbers.
        scale ("standard", "minmax" or None, default "standard"): scaling of each sensor.
        epochs (int or "auto", default "auto"): number of passes over all windows.
        batch_size (int, default 64): windows per step.
        learning_rate (float, default 1e-3): learning rate of Adam in the first epoch.
        schedule ("cosine" or None, default "cosine"): schedule of the learning rate.
        validation_fraction (float, default 0.2): fraction of the timestamps to hold out.
        random_state (int, numpy.random.RandomState or None, default 0): seed.
        checkpoint (path or None, default None): folder of checkpoints, for data whose windows are
            copied at once.
        checkpoint_every (str, default "1 epoch"): interval of checkpoints.
        verbose (bool or int, default 0): whether to show progress.

    Attributes:
        offset\_: threshold of `score_samples`; timestamps below it are anomalies.
        normal_errors\_: normal error of each sensor in scaled values, float64 (sensors,): the mean
            of the smallest nine tenths of the errors of held-out timestamps. For a sensor of two
            values, such as a switch, it is at least the mean error of all timestamps.
        n_features_in\_: number of sensors.
        preprocessor\_: the fitted preprocessor, or None. With one, ``n_features_in_`` is the number
            of its features.
        column_names\_: names of the columns of `column_errors`.
        network\_, loss_curve\_, n_iter\_, seed\_, provenance\_: as in `NetworkEstimator`.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> time = np.arange(2000)[:, np.newaxis]
        >>> series = np.sin(time / [5, 5, 9]) + rng.normal(0, 0.1, (2000, 3))
        >>> detector = TimeSeriesDetector(window=32, epochs=20).fit(series)
        >>> new = series[:500].copy()
        >>> new[200:260, 1] = new[200, 1]  # the sensor is stuck
        >>> [found] = detector.intervals(new)
        >>> 190 < found.begin < 215 and 250 < found.end < 270 and found.sensors == (1,)
        True
    """

    def __init__(
        self,
        window: int = 64,
        stride: int = 8,
        model: str | keras.Model = "conv",
        *,
        latent_dim: int | Literal["auto"] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        smoothing: int = 9,
        contamination: float | Literal["auto", "held_out"] = "auto",
        false_alarm_rate: float = 0.05,
        preprocessor: TablePreprocessor | Literal["auto"] | None = None,
        scale: Literal["minmax", "standard"] | None = "standard",
        epochs: int | Literal["auto"] = "auto",
        batch_size: int = 64,
        learning_rate: float = 1e-3,
        schedule: Literal["cosine"] | None = "cosine",
        validation_fraction: float = 0.2,
        random_state: int | np.random.RandomState | None = 0,
        checkpoint: os.PathLike[str] | str | None = None,
        checkpoint_every: str = "1 epoch",
        verbose: bool | int = 0,
    ) -> None:
        self.window = window
        self.stride = stride
        self.model = model
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.smoothing = smoothing
        self.contamination = contamination
        self.false_alarm_rate = false_alarm_rate
        self.preprocessor = preprocessor
        self.scale = scale
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.validation_fraction = validation_fraction
        self.random_state = random_state
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.verbose = verbose

    def calibrate(self, X: Any, false_alarm_rate: float | None = None) -> Self:  # noqa: N803
        """Set the threshold from normal series that were not used in training.

        Args:
            X: one series or a list of series, of at least 1/rate - 1 blocks of ``window``
                timestamps in total.
            false_alarm_rate: expected fraction of normal timestamps above the threshold; None for
                the parameter ``false_alarm_rate``.

        Returns:
            The detector.

        Raises:
            InputError: too few timestamps for the rate.
        """
        rate = as_plain(self.false_alarm_rate if false_alarm_rate is None else false_alarm_rate)
        check_number("false_alarm_rate", rate, 0, 1)
        scores = [self._errors(each).mean(axis=1) for each in self._checked_series(X)]
        self.offset_ = -thresholds.calibrated_blocks(self._blocks(scores), rate)
        return self

    def feature_errors(self, X: Any) -> Any:  # noqa: N803
        """Return the error of each timestamp and sensor, in units of the sensor's normal error.

        Returns:
            float64 of shape (timestamps, sensors), whose mean over the sensors is `anomaly_score`.
        """
        return self._each(X, lambda errors: errors)

    def anomaly_score(self, X: Any) -> Any:  # noqa: N803
        """Return the mean error of each timestamp over the sensors: float64 (timestamps,)."""
        return self._each(X, _mean)

    def score_samples(self, X: Any) -> Any:  # noqa: N803
        """Return the negative of `anomaly_score`: float64 (timestamps,)."""
        return self._each(X, lambda errors: -_mean(errors))

    def decision_function(self, X: Any) -> Any:  # noqa: N803
        """Return `score_samples` minus ``offset_``: float64, below 0 for anomalies."""
        return self._each(X, lambda errors: -_mean(errors) - self.offset_)

    def predict(self, X: Any) -> Any:  # noqa: N803
        """Return 1 for normal timestamps and -1 for anomalies: integers (timestamps,)."""
        return self._each(X, lambda errors: np.where(-_mean(errors) - self.offset_ < 0, -1, 1))

    def intervals(self, X: Any, gap: int | None = None) -> Any:  # noqa: N803
        """Return the intervals of time in which the series is anomalous.

        Args:
            X: one series or a list of series.
            gap: alarms with fewer than this many timestamps between them are joined into one
                interval. None is half a window.

        Returns:
            List of `AnomalyInterval`, in order of time; a list of such lists for a list of series.
        """
        return self._each(X, lambda errors: self.intervals_of(errors, gap))

    def intervals_of(self, errors: np.ndarray, gap: int | None = None) -> list[AnomalyInterval]:
        """Return `intervals` of one series from its `feature_errors`."""
        gap = as_plain(self.window) // 2 if gap is None else gap
        return join(errors, -self.offset_, gap, self._sensor_names())

    def export(self, *args: Any, **kwargs: Any) -> Any:
        """Raise an `InputError`: scores need the windows around a timestamp.

        Export ``network_``, which reconstructs scaled windows, with `ae_multi.export`.
        """
        raise InputError(
            "Expected an estimator of single samples, whose graph computes their scores. Received: "
            "a TimeSeriesDetector, which scores timestamps in overlapping windows. Export its "
            "network of scaled windows: ae_multi.export(detector.network_, path)."
        )

    _required_attributes = ("offset_", "normal_errors_")

    def _check_parameters(self):
        super()._check_parameters()
        check_positive(smoothing=self.smoothing)
        check_contamination(self.contamination, self.false_alarm_rate)
        self._check_preprocessor()

    def _begin(self, chunks):
        super()._begin(chunks)
        if self.contamination == "held_out":  # report too few timestamps before training
            held_out = [
                np.zeros(segment.stop - segment.start)
                for number, (series, _) in enumerate(chunks)
                for _, segment in self._split(number, series).held_out
            ]
            thresholds.calibrated_blocks(self._blocks(held_out), self.false_alarm_rate)

    def _finish(self, chunks):
        self.normal_errors_ = np.ones(self.n_features_in_)
        held_out = [
            self._errors(self._scaled(series[context]))[
                segment.start - context.start : segment.stop - context.start
            ]
            for number, (series, _) in enumerate(chunks)
            for context, segment in self._split(number, series).held_out
        ]
        is_switch = two_valued(Chunks(lambda: (series for series, _ in chunks)))
        everything = None
        if not held_out or not isinstance(self.contamination, str) or is_switch.any():
            everything = [self._errors(self._scaled(series)) for series, _ in chunks]
        errors = np.concatenate(held_out or everything)
        units = normal_errors(errors)
        if everything is not None:
            means = np.concatenate(everything).mean(axis=0)
            units = np.where(is_switch, np.maximum(units, means), units)
        self.normal_errors_ = units
        if self.contamination == "held_out":
            scores = [_mean(each / self.normal_errors_) for each in held_out]
            limit = thresholds.calibrated_blocks(self._blocks(scores), self.false_alarm_rate)
        elif self.contamination == "auto":
            limit = thresholds.fence(_mean(errors / self.normal_errors_))
        else:
            scores = _mean(np.concatenate(everything) / self.normal_errors_)
            limit = thresholds.share(scores, self.contamination)
        self.offset_ = -limit

    def _blocks(self, scores: Iterable[np.ndarray]) -> np.ndarray:
        """Return the scores of several series as blocks of one window: (blocks, window)."""
        size = as_plain(self.window)
        blocks = [each[: len(each) // size * size].reshape(-1, size) for each in scores]
        return np.concatenate([np.empty((0, size)), *blocks])

    def _each(self, x: Any, result_of: Callable[[np.ndarray], Any]) -> Any:
        """Return the result for the errors of one series, or the list of results of a list."""
        results = [result_of(self._errors(series)) for series in self._checked_series(x)]
        return results if is_list(x) else results[0]

    def _errors(self, scaled: np.ndarray) -> np.ndarray:
        """Return the errors of a scaled series in units of the normal errors."""
        shape = self._network_shape
        positions = windows.starts(len(scaled), self.window, self.stride)
        at_once = max(1, MAX_SCORING_BYTES // (scaled.itemsize * shape[0] * shape[1]))

        def errors():
            for begin in range(0, len(positions), at_once):
                chosen = positions[begin : begin + at_once]
                batch = windows.cut(scaled, chosen, self.window)
                yield chosen, np.square(batch - predict_float32(self.network_, batch))

        means = windows.mean_over_windows(errors(), *scaled.shape)
        # Not a running sum, in which the rounding of a huge error would stay.
        weights = np.full(self.smoothing, 1 / self.smoothing)
        return convolve1d(means, weights, axis=0, mode="nearest") / self.normal_errors_


def _mean(errors: np.ndarray) -> np.ndarray:
    """Return the score of each timestamp."""
    return errors.mean(axis=1)
