"""Segmentation: a class for each pixel of an image, learned from images and masks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.estimators.base import NetworkEstimator
from ae_multi.estimators.graph_layers import Classes
from ae_multi.estimators.inputs import shape_of, take
from ae_multi.estimators.masks import as_masks, as_places, mean_iou
from ae_multi.estimators.networks import copy_of
from ae_multi.models import SegmentationNetwork
from ae_multi.models.losses import PixelCrossEntropy


class Segmenter(NetworkEstimator):
    r"""Classifier of the pixels of images, such as foreground and background.

    Has the attributes of `NetworkEstimator` and those of its parameters that the signature lists.
    Accepts images only. Training minimises the cross-entropy of the pixels.

    Args:
        model (str or keras.Model, default "unet"): "unet" (`ae_multi.SegmentationNetwork`), or an
            uncompiled Keras model from images to probabilities of shape
            (n, height, width, classes).
        filters (sequence of int, default (32, 64, 128)): channels of "unet" at each resolution,
            the highest resolution first.
        stride (int, default 2): 2 runs "unet" at half the resolution of the image, in about a
            quarter of the time; 1 runs it at full resolution, for details of single pixels.
        depth (int, default 1): convolutions of "unet" at each resolution.
        epochs (int or "auto", default "auto"): number of passes over all samples. "auto" is the
            number that makes about 2,500 steps, at least 4 epochs.
        batch_size (int, default 32): samples per step.
        learning_rate (float, default 2e-3): learning rate of Adam in the first epoch.

    Attributes:
        classes\_: sorted array of the classes in the masks.

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
        model: str | keras.Model = "unet",
        *,
        filters: Sequence[int] = (32, 64, 128),
        stride: int = 2,
        depth: int = 1,
        image_shape: Sequence[int] | None = None,
        scale: Literal["minmax", "standard"] | None = "minmax",
        epochs: int | Literal["auto"] = "auto",
        batch_size: int = 32,
        learning_rate: float = 2e-3,
        schedule: Literal["cosine"] | None = "cosine",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 10,
        random_state: int | np.random.RandomState | None = 0,
        checkpoint: os.PathLike[str] | str | None = None,
        checkpoint_every: str = "1 epoch",
        verbose: bool | int = 0,
    ) -> None:
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

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:  # type: ignore[override] # noqa: N803
        """Fit to images X and their masks y.

        Args:
            X: images, (n, height, width) or (n, height, width, channels).
            y: class of each pixel, booleans or integers of shape (n, height, width).

        Returns:
            The fitted estimator.

        Raises:
            InputError: masks whose number or size differs from the images, or masks with a single
                class.
        """
        return super().fit(X, y)

    def partial_fit(  # type: ignore[override]
        self,
        X: ArrayLike,  # noqa: N803
        y: ArrayLike,
        classes: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch on X and y.

        Args:
            X: images.
            y: their masks.
            classes: in the first call, all classes of this and later calls; None for those of y.

        Returns:
            The fitted estimator.
        """
        return super().partial_fit(X, y, **({} if classes is None else {"classes": classes}))

    def predict_proba(self, X: ArrayLike) -> np.ndarray:  # noqa: N803
        """Return the class probabilities of each pixel: float32 (n, height, width, classes)."""
        return self._outputs(self._checked(X))

    def predict(self, X: ArrayLike) -> np.ndarray:  # noqa: N803
        """Return the most probable class of each pixel.

        Returns:
            Array of shape (n, height, width) and the dtype of the masks in `fit`; of shape
            (n, height * width) if X holds rows of pixels.
        """
        masks = self._most_probable(self.predict_proba(X))
        return masks.reshape(len(masks), -1) if len(shape_of(X) or ()) == 1 else masks

    def score(self, X: ArrayLike, y: ArrayLike) -> float:  # noqa: N803
        """Return the mean intersection over union of all classes except the first.

        Args:
            X: images.
            y: their masks.
        """
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

    def _take(self, x: Any, y: Any, reset: bool) -> tuple[np.ndarray, np.ndarray]:
        images = take(self, x, reset)
        if len(self.sample_shape_) not in (2, 3):
            raise InputError(
                "Expected images, (n, height, width) or (n, height, width, channels). Received: "
                f"samples of shape {self.sample_shape_}. For rows of pixels set image_shape."
            )
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )
        return images, as_masks(y, len(images), self.sample_shape_)

    _min_epochs = 4

    def _begin(self, chunks, classes=()):
        self.classes_ = np.unique(classes)
        super()._begin(chunks)

    def _learn(self, scaling, x, y):
        super()._learn(scaling, x, y)
        # The union with an empty array would convert integers to floats.
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
        shape = tuple(network.compute_output_shape((None, *self.sample_shape_)))[1:]
        if shape != (*self.sample_shape_[:2], count):
            raise InputError(
                "Expected a model with the output shape "
                f"{(*self.sample_shape_[:2], count)}, a probability for each pixel and class. "
                f"Received: a model with the output shape {shape}."
            )
        return network

    @property
    def loss(self) -> PixelCrossEntropy:  # type: ignore[override]
        """Loss of the network: the cross-entropy of class probabilities."""
        return PixelCrossEntropy()

    def _graph_outputs(self, scaled, outputs):
        return {"probabilities": outputs, "label": Classes(self.classes_)(outputs)}

    def _expected_outputs(self, scaled):
        probabilities = self._outputs(scaled)
        return {"probabilities": probabilities, "label": self._most_probable(probabilities)}

    def _most_probable(self, probabilities: np.ndarray) -> np.ndarray:
        return self.classes_[np.argmax(probabilities, axis=-1)]

    def _decided(self, expected, rounding):
        best = np.sort(expected["probabilities"], axis=-1)
        return {"label": best[..., -1] - best[..., -2] > rounding}

    def _prepared(self, x, y):
        return self._scaled(x), as_places(y, self.classes_)[..., np.newaxis]
