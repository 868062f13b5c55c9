"""What is unlike the data that it learned from: anomalies, by the error of an autoencoder."""

import math

import numpy as np
from sklearn.base import OutlierMixin

from ae_multi.errors import InputError
from ae_multi.estimators import neighbors, thresholds
from ae_multi.estimators.base import NetworkEstimator
from ae_multi.estimators.chunks import Chunks
from ae_multi.estimators.graph_layers import Label, ManifoldScore, Score
from ae_multi.estimators.inputs import held_out
from ae_multi.estimators.parameters import check_number
from ae_multi.estimators.scaling import scale
from ae_multi.estimators.scores import as_rows, manifold_errors, mean, squared_errors
from ae_multi.models.base import predict_float32
from ae_multi.validation import as_plain, check_positive


class AnomalyDetector(OutlierMixin, NetworkEstimator):
    r"""Finds samples that are unlike what an autoencoder has learned from its training data.

    Takes the parameters of `NetworkEstimator` and has its attributes. With x̂ the reconstruction
    of a sample x, in scaled values, the score is the mean over the values of

        (x - x̂)² + w meanₖ (x̂ - x̂ₖ)²,

    over the reconstructions x̂ₖ of training samples that are nearest to x̂. The first term is the
    way from the sample to the manifold that the network has learned (Sakurada & Yairi, MLSDA
    2014). A network also reconstructs well what is in no training sample, between them and beyond,
    and the second term is the way from there to those that are (the mean over neighbors: Angiulli
    & Pizzuti, PKDD 2002; that reconstructions are made of normal ones: Gong et al., "Memorizing
    normality to detect anomaly", ICCV 2019). Images are divided by the root of their mean square
    before, and so are reconstructions: what counts is the angle between them, since in an image of
    thin strokes all errors are small. Rows of pixels are images where ``image_shape`` says so.

    Args:
        contamination: where the line is drawn. A number, above 0 and at most 0.5: the share of
            the training samples that lies beyond it. "auto": Tukey's fence, for training samples
            of which less than a quarter are strange. "held_out": the share
            ``validation_fraction`` of the samples, all normal, is kept out of training, and the
            line drawn so that normal samples are called strange at ``false_alarm_rate``.
        false_alarm_rate: the rate for "held_out" and for `calibrate`, between 0 and 1.
        criterion: "manifold", as above, or "mse", the mean of (x - x̂)² alone.
        neighbors: over how many x̂ₖ the mean is taken, or "auto": three for images; for tables a
            tenth of those that are remembered, so that strange rows among the training samples
            find too few of their own kind to pass for normal.
        weight: w, above 0, or "auto": 2 for images, 1 for tables.

    Attributes:
        offset\_: the score below which a sample is strange.
        codes\_: codes of the training samples that are remembered, at most 8,000; `partial_fit`
            remembers those of its latest chunk. None with the criterion "mse".
        neighbors\_: the number of x̂ₖ.
        weight\_: w.

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
        model="deep",
        *,
        contamination="auto",
        false_alarm_rate=0.05,
        criterion="manifold",
        neighbors="auto",
        weight="auto",
        latent_dim="auto",
        hidden="auto",
        activation="auto",
        image_shape=None,
        scale="minmax",
        loss="mse",
        epochs="auto",
        batch_size=128,
        learning_rate=1e-3,
        schedule="cosine",
        early_stopping=False,
        validation_fraction=0.1,
        patience=10,
        random_state=0,
        checkpoint=None,
        checkpoint_every="1 epoch",
        verbose=0,
    ):
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

    def calibrate(self, X, false_alarm_rate=None):  # noqa: N803
        """Draw the line anew by normal samples X that training has not seen.

        Args:
            X: samples, at least 1/rate - 1.
            false_alarm_rate: the share of normal samples that may be called strange; by default
                the parameter of that name.
        """
        rate = as_plain(self.false_alarm_rate if false_alarm_rate is None else false_alarm_rate)
        check_number("false_alarm_rate", rate, 0, 1)
        self.offset_ = -thresholds.calibrated(self.anomaly_score(X), rate)
        return self

    def score_samples(self, X):  # noqa: N803
        """How normal each sample is, 0 at best: the negative of `anomaly_score`; float64 (n,)."""
        return -self.anomaly_score(X)

    def anomaly_score(self, X):  # noqa: N803
        """How strange each sample is: the mean of its `feature_errors`; float64 (n,)."""
        return self._means(self._checked(X))

    def decision_function(self, X):  # noqa: N803
        """`score_samples` less ``offset_``: below 0 for strange samples; float64 (n,)."""
        return self.score_samples(X) - self.offset_

    def predict(self, X):  # noqa: N803
        """1 for normal samples and -1 for strange ones: integers (n,)."""
        return self._labels(self.anomaly_score(X))

    def feature_errors(self, X):  # noqa: N803
        r"""What an alarm comes from: each value's share of the score, before the mean is taken.

        Returns:
            float32 of shape (n, features), whose mean over a row is `anomaly_score`; for images
            an error map for each, (n, \*image shape).
        """
        return np.concatenate(list(self._errors(self._checked(X))))

    def _check_parameters(self):
        super()._check_parameters()
        check_number("false_alarm_rate", self.false_alarm_rate, 0, 1)
        if self.criterion not in ("manifold", "mse"):
            raise InputError(
                f"Expected criterion to be 'manifold' or 'mse'. Received: {self.criterion!r}."
            )
        if self.neighbors is None:
            raise InputError("Expected neighbors to be an integer or 'auto'. Received: None.")
        if self.neighbors != "auto":
            check_positive(neighbors=self.neighbors)
        if self.weight != "auto":
            check_number("weight", self.weight, 0, math.inf)
        if isinstance(self.contamination, str):
            if self.contamination not in ("auto", "held_out"):
                raise InputError(
                    "Expected contamination to be 'auto', 'held_out' or a number. "
                    f"Received: {self.contamination!r}."
                )
        else:
            check_number("contamination", self.contamination, 0, 0.5, closed=True)

    def _begin(self, chunks):
        # Nothing of what is held out may be learned from, its scale included.
        super()._begin(self._part(chunks, 0))
        if self.contamination == "held_out":  # too few samples are better told before training
            held = sum(len(x) for x, _ in self._part(chunks, 1))
            thresholds.calibrated(np.zeros(held), self.false_alarm_rate)

    def _train(self, chunks, epochs, rate, whole):
        super()._train(self._part(chunks, 0), epochs, rate, whole)

    def _finish(self, chunks):
        self.codes_ = self.neighbors_ = self.weight_ = None
        if self.criterion == "manifold":
            learned = (self._scaled(x) for x, _ in self._part(chunks, 0))
            remembered = neighbors.some(learned, self.seed_)
            self.codes_ = predict_float32(self.network_.encoder, remembered)
            of_images = self._of_images()
            count = neighbors.number_of(self.neighbors, len(remembered), of_images)
            self.neighbors_ = int(count)
            self.weight_ = float(neighbors.weight_of(self.weight, of_images))
        errors = [self._means(self._scaled(x)) for x, _ in self._part(chunks, 1)]
        errors = np.concatenate(errors)
        if self.contamination == "held_out":
            limit = thresholds.calibrated(errors, self.false_alarm_rate)
        elif self.contamination == "auto":
            limit = thresholds.fence(errors)
        else:
            limit = thresholds.share(errors, self.contamination)
        self.offset_ = -limit

    def _labels(self, scores):
        return np.where(-scores - self.offset_ < 0, -1, 1)

    def _means(self, scaled):
        return np.concatenate([mean(errors) for errors in self._errors(scaled)])

    def _errors(self, scaled):
        r"""What the score is the mean of, some samples at a time: float32 (n, \*sample shape)."""
        outputs = self._outputs(scaled)
        # A file of before there were codes has none, and a line drawn by the mean squared error.
        if getattr(self, "codes_", None) is None:
            yield squared_errors(scaled, outputs)
            return
        known = predict_float32(self.network_.decoder, self.codes_)
        count, weight = self._asked()
        for rows in neighbors.blocks(len(scaled), self.n_features_in_):
            yield manifold_errors(scaled[rows], outputs[rows], known, count, weight)

    def _of_images(self):
        return len(self.sample_shape_) > 1

    def _asked(self):
        """How many neighbors are asked, and what the way to them weighs."""
        if hasattr(self, "neighbors_"):
            return self.neighbors_, self.weight_
        # A file of before these were kept, whose line was drawn by ten neighbors of an image.
        few = 10 if self.neighbors == "auto" and self._of_images() else self.neighbors
        return neighbors.number_of(few, len(self.codes_), images=False), 1.0

    def _graph_outputs(self, scaled, outputs):
        score = self._graph_score([scaled, outputs])
        label = Label.of(limit=-self.offset_)(score)
        return {**super()._graph_outputs(scaled, outputs), "score": score, "label": label}

    def _expected_outputs(self, scaled):
        score = self._means(scaled)
        return {**super()._expected_outputs(scaled), "score": score, "label": self._labels(score)}

    def _graph_score(self, pair):
        if getattr(self, "codes_", None) is None:
            return Score()(pair)
        known = as_rows(predict_float32(self.network_.decoder, self.codes_))
        count, weight = self._asked()
        first, last = neighbors.places(count, len(known))
        centre = known.mean(axis=0)
        asked = (first, last, weight, self._of_images())
        return ManifoldScore.of(*asked, known=known - centre, centre=centre)(pair)

    def _sizes(self, expected):
        # A reconstruction that is off by d moves the mean of the squares r² by up to 2 r d,
        # which is much where r is small beside the values themselves.
        known = scale(expected["reconstruction"], self.input_offset_, self.input_span_)
        score = square = np.max(expected["score"])
        if getattr(self, "codes_", None) is not None:
            known = as_rows(known)
            square = score * max(self._asked()[1], 1)  # of w r², as w² r² is what then counts
        return {"score": max(score, 2 * np.sqrt(square) * np.max(abs(known)))}

    def _decided(self, expected, rounding):
        limit = rounding * self._sizes(expected)["score"]
        return {"label": abs(expected["score"] + self.offset_) > limit}

    def _part(self, chunks, which):
        """Chunks of what is trained on (0) or of what the line is drawn by (1)."""
        if self.contamination != "held_out":
            return chunks

        def parts():
            for number, (x, y) in enumerate(chunks):
                rows = held_out(
                    self.seed_, "calibration", len(x), self.validation_fraction, number
                )[which]
                yield x[rows], y

        return Chunks(parts)
