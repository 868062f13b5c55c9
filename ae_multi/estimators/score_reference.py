"""Scores of a detector compared with those of normal samples: probabilities and drift."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import ks_2samp, kstwo
from sklearn.utils.validation import check_is_fitted

from ae_multi.errors import InputError
from ae_multi.estimators.parameters import check_number

# So many quantiles of the reference scores are stored.
MAX_QUANTILES = 2000
# Up to this size of both samples SciPy computes the p-value exactly.
_MAX_EXACT = 1000
SOURCES = {
    "training": "the training samples",
    "held_out": "the held-out samples",
    "calibration": "the samples of calibrate",
}


@dataclass(frozen=True)
class ScoreCheck:
    """Comparison of the scores of new samples with those of the reference samples.

    Attributes:
        statistic: largest difference of the two empirical distribution functions, from 0 to 1.
        p_value: probability of a difference at least as large if both are drawn from one
            distribution.
        level: p-value below which the samples are called different.
        samples: number of new samples.
        reference: "training", "held_out" or "calibration".
        medians: median score of the new and of the reference samples.
    """

    statistic: float
    p_value: float
    level: float
    samples: int
    reference: str
    medians: tuple[float, float]

    @property
    def verdict(self) -> str:
        """Whether the samples are "alike" or "different"."""
        return "different" if self.p_value < self.level else "alike"

    @property
    def text(self) -> str:
        """The verdict in a sentence."""
        new, reference = self.medians
        relation = "higher" if new > reference else "lower"
        found = (
            f"differ from: their scores are {relation}, with the median {new:.4g} instead of "
            f"{reference:.4g}"
            if self.verdict == "different"
            else "look like"
        )
        head, _, tail = found.partition(":")
        return (
            f"The {self.samples:,} new samples {head} {SOURCES[self.reference]}"
            f"{':' + tail if tail else ''} (Kolmogorov-Smirnov statistic {self.statistic:.3f}, "
            f"p-value {self.p_value:.3g})."
        )

    def __str__(self) -> str:
        return self.text


class ScoreReferenceMixin:
    """Mixin of `AnomalyDetector` that compares scores with those of reference samples.

    They are the samples of `calibrate`, the held-out samples or the training samples.
    """

    def predict_proba(self: Any, X: ArrayLike) -> np.ndarray:  # noqa: N803
        """Return the probabilities that samples are normal and anomalous.

        The second column is the estimated probability that a normal sample has a lower score,

            p(x) = (1 + t) / (2 + n),

        where t of the n reference scores are at most the score of x: the mean of the posterior
        distribution under a uniform prior (Perini, Vercruyssen & Davis, "Quantifying the confidence
        of anomaly detectors in their example-wise predictions", ECML PKDD 2020). It is
        1 minus a conformal p-value: of new normal samples a fraction α lies above 1 - α if the
        reference samples were not used in training. The median normal sample has .5, so
        compare it with a limit such as .99; `predict` compares scores with the threshold.

        Returns:
            float64 of shape (n, 2).

        Raises:
            InputError: a detector from a file of an earlier version, which has no reference scores.
        """
        check_is_fitted(self)
        return self.probabilities_of(self.anomaly_score(X))

    def check(self: Any, X: ArrayLike, level: float = 0.01) -> ScoreCheck:  # noqa: N803
        """Test whether new samples still look like those of `fit`, by their scores.

        The two-sample Kolmogorov-Smirnov test of `scipy.stats.ks_2samp`. Reference scores of the
        training samples are a little lower than those of new normal samples; use
        ``contamination="held_out"`` or `calibrate` to compare with samples that were not used in
        training. More than 2,000 reference scores are represented by as many quantiles.

        Args:
            X: new samples.
            level: p-value below which they are called different.

        Returns:
            A `ScoreCheck` with ``statistic``, ``p_value``, ``verdict`` and ``text``.

        Raises:
            InputError: as `predict_proba`.
        """
        check_is_fitted(self)
        return self.check_scores(self.anomaly_score(X), level)

    def check_scores(self: Any, scores: np.ndarray, level: float = 0.01) -> ScoreCheck:
        """Test as `check` whether scores from `anomaly_score` are those of similar samples.

        Args:
            scores: anomaly scores of new samples, shape (n,).
            level: p-value below which they are called different.
        """
        self._check_reference()
        check_number("level", level, 0, 1)
        reference = self.reference_scores_
        is_small = max(len(scores), len(reference)) <= _MAX_EXACT
        result = ks_2samp(scores, reference, method="exact" if is_small else "asymp")
        statistic, p_value = float(result.statistic), float(result.pvalue)
        if self.reference_count_ > len(reference):
            # Quantiles may be off by half of their distance, but hold the information of all.
            least = max(statistic - 0.5 / len(reference), 0.0)
            size = len(scores) * self.reference_count_ / (len(scores) + self.reference_count_)
            p_value = float(kstwo.sf(least, max(round(size), 1)))
        return ScoreCheck(
            statistic=statistic,
            p_value=p_value,
            level=float(level),
            samples=len(scores),
            reference=self.reference_,
            medians=(float(np.median(scores)), float(np.median(reference))),
        )

    def _set_reference(self: Any, scores: np.ndarray, source: str) -> None:
        """Store the scores of reference samples, or `MAX_QUANTILES` quantiles of them."""
        ordered = np.sort(np.asarray(scores, np.float64))
        if len(ordered) > MAX_QUANTILES:
            # The middle of each of MAX_QUANTILES equal parts.
            places = (np.arange(MAX_QUANTILES) + 0.5) / MAX_QUANTILES
            ordered = ordered[np.floor(places * len(ordered)).astype(np.intp)]
        self.reference_scores_, self.reference_count_ = ordered, len(scores)
        self.reference_ = source

    def probabilities_of(self: Any, scores: np.ndarray) -> np.ndarray:
        """Return `predict_proba` of scores from `anomaly_score`: float64 (n, 2)."""
        self._check_reference()
        stored, count = self.reference_scores_, self.reference_count_
        below = np.searchsorted(stored, scores, side="right") / len(stored)
        anomalous = (1 + below * count) / (2 + count)
        return np.stack([1 - anomalous, anomalous], axis=1)

    def _check_reference(self: Any) -> None:
        if not hasattr(self, "reference_scores_"):
            raise InputError(
                "Expected a detector with reference scores. Received: one from a file of an "
                "earlier version. Call fit or calibrate first."
            )
