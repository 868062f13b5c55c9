"""A class for each pixel of an image, learned from images and their masks."""

import numpy as np

from ae_multi.errors import InputError
from ae_multi.estimators.base import NetworkEstimator
from ae_multi.estimators.graph_layers import Classes
from ae_multi.estimators.inputs import shape_of, take
from ae_multi.estimators.masks import as_masks, as_places, mean_iou
from ae_multi.estimators.networks import copy_of
from ae_multi.models import SegmentationNetwork
from ae_multi.models.losses import PixelCrossEntropy


class Segmenter(NetworkEstimator):
    r"""Says which class each pixel of an image belongs to: a figure or its ground, say.

    Takes the parameters of `NetworkEstimator` that are listed here, and has its attributes. Only
    for images. Trained on the cross-entropy of the pixels.

    Args:
        model: "unet" (`ae_multi.SegmentationNetwork`), or an uncompiled Keras model from images
            to probabilities of shape (n, height, width, classes).
        filters: channels of "unet" at each size, the largest size first.
        stride: 2 lets "unet" work at half of the image's size, in about a quarter of the time; 1
            at full size, for details of single pixels.
        depth: convolutions of "unet" at each size.
        epochs: how often all samples are trained on, or "auto": for about 2,500 steps, at least 4
            epochs.

    Attributes:
        classes\_: the classes in the masks, sorted.

    Example:
        >>> import numpy as np
        >>> images = np.random.default_rng(0).random((40, 12, 12))
        >>> masks = images > 0.5
        >>> segmenter = Segmenter(filters=(4, 8), epochs=10).fit(images, masks)
        >>> segmenter.predict(images).shape, segmenter.predict_proba(images).shape
        ((40, 12, 12), (40, 12, 12, 2))
    """

    def __init__(
        self,
        model="unet",
        *,
        filters=(32, 64, 128),
        stride=2,
        depth=1,
        image_shape=None,
        scale="minmax",
        epochs="auto",
        batch_size=32,
        learning_rate=2e-3,
        schedule="cosine",
        early_stopping=False,
        validation_fraction=0.1,
        patience=10,
        random_state=0,
        checkpoint=None,
        checkpoint_every="1 epoch",
        verbose=0,
    ):
        self.model = model
        self.filters = filters
        self.stride = stride
        self.depth = depth
        self.image_shape = image_shape
        self.scale = scale
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.verbose = verbose

    def fit(self, X, y):  # noqa: N803
        """Learn from images X and their masks y.

        Args:
            X: images, (n, height, width) or (n, height, width, channels).
            y: the class of each pixel, booleans or integers of shape (n, height, width).

        Raises:
            InputError: masks that do not fit their images, or of a single class.
        """
        return super().fit(X, y)

    def partial_fit(self, X, y, classes=None):  # noqa: N803
        """Train for one epoch on X and y.

        Args:
            X: images.
            y: their masks.
            classes: all classes that will ever come, at the first call; by default those of y.
        """
        return super().partial_fit(X, y, **({} if classes is None else {"classes": classes}))

    def predict_proba(self, X):  # noqa: N803
        """Probability of each class at each pixel: float32 (n, height, width, classes)."""
        return self._outputs(self._checked(X))

    def predict(self, X):  # noqa: N803
        """The likeliest class of each pixel: (n, height, width), of the type of the masks.

        For rows of pixels the masks are rows as well.
        """
        masks = self._likeliest(self.predict_proba(X))
        return masks.reshape(len(masks), -1) if len(shape_of(X) or ()) == 1 else masks

    def score(self, X, y):  # noqa: N803
        """Mean intersection over union of the classes but the first, over all pixels."""
        masks = self.predict(X)
        size = self.sample_shape_[:2]
        masks = masks.reshape(len(masks), *size)
        return mean_iou(masks, as_masks(y, len(masks), self.sample_shape_), self.classes_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.target_tags.required = True
        tags.target_tags.single_output = False
        tags.target_tags.multi_output = True
        return tags

    def _take(self, x, y, reset):
        images = take(self, x, reset)
        if len(self.sample_shape_) not in (2, 3):
            raise InputError(
                "Expected images, (n, height, width) or (n, height, width, channels). Received: "
                f"samples of shape {self.sample_shape_}; image_shape says what shape rows have."
            )
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )
        return images, as_masks(y, len(images), self.sample_shape_)

    _fewest_epochs = 4

    def _begin(self, chunks, classes=()):
        self.classes_ = np.unique(classes)
        super()._begin(chunks)

    def _learn(self, scaling, x, y):
        super()._learn(scaling, x, y)
        # An empty array would turn whole numbers into floats.
        self.classes_ = np.union1d(self.classes_, y) if len(self.classes_) else np.unique(y)

    def _build(self):
        count = len(self.classes_)
        if count < 2:
            raise InputError(
                f"Expected masks of at least 2 classes. Received: {self.classes_.tolist()} alone."
            )
        if isinstance(self.model, str):
            if self.model != "unet":
                raise InputError(
                    f"Expected model to be 'unet' or a Keras model. Received: {self.model!r}."
                )
            return SegmentationNetwork(
                self.filters,
                count,
                self.sample_shape_,
                self.seed_,
                value_range=None,
                stride=self.stride,
                depth=self.depth,
            )
        network = copy_of(self.model, self.sample_shape_)
        given = tuple(network.compute_output_shape((None, *self.sample_shape_)))[1:]
        if given != (*self.sample_shape_[:2], count):
            raise InputError(
                f"Expected a model that gives {(*self.sample_shape_[:2], count)}, a probability "
                f"for each pixel and class. Received: one that gives {given}."
            )
        return network

    @property
    def loss(self):
        """The loss of a network that gives probabilities of classes."""
        return PixelCrossEntropy()

    def _graph_outputs(self, scaled, outputs):
        return {"probabilities": outputs, "label": Classes(self.classes_)(outputs)}

    def _expected_outputs(self, scaled):
        probabilities = self._outputs(scaled)
        return {"probabilities": probabilities, "label": self._likeliest(probabilities)}

    def _likeliest(self, probabilities):
        return self.classes_[np.argmax(probabilities, axis=-1)]

    def _decided(self, expected, rounding):
        best = np.sort(expected["probabilities"], axis=-1)
        return {"label": best[..., -1] - best[..., -2] > rounding}

    def _prepared(self, x, y):
        return self._scaled(x), as_places(y, self.classes_)[..., np.newaxis]
