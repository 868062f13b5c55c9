"""Keras layers for the computations of an estimator before and after its network.

Fitted values are non-trainable weights: weights are transferred between backends, and exported
formats store them only once.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from ae_multi._keras import keras
from ae_multi.estimators.scaling import LIMIT

ops = keras.ops
_register = keras.saving.register_keras_serializable("ae_multi")


class Learned(keras.layers.Layer):
    """Base class of layers with constants: shapes are in the config, values are weights.

    Args:
        shapes: dict from the names of the constants to their shapes.
        **kwargs: arguments of `keras.layers.Layer`.
    """

    def __init__(self, shapes: Mapping[str, Sequence[int]], **kwargs: Any) -> None:
        super().__init__(trainable=False, **kwargs)
        self.shapes = {name: tuple(shape) for name, shape in shapes.items()}
        for name, shape in self.shapes.items():
            weight = self.add_weight(shape=shape, initializer="zeros", trainable=False, name=name)
            setattr(self, name, weight)
        self.built = True

    @classmethod
    def of(cls, *args: Any, **values: Any) -> Self:
        """Return a layer with the constants ``values``.

        Args:
            *args: positional arguments of the layer before ``shapes``.
            **values: arrays by name.
        """
        values = {name: np.asarray(value, np.float32) for name, value in values.items()}
        shapes = {name: value.shape for name, value in values.items()}
        layer = cls(*args, shapes)  # type: ignore[call-arg]
        layer.set_weights(list(values.values()))
        return layer

    def get_config(self) -> dict[str, Any]:
        """Return the shapes of the constants."""
        return {"name": self.name, "shapes": self.shapes}


@_register
class Scale(Learned):
    """(x - offset) / span, clipped to ±`LIMIT`, as in `ae_multi.estimators.scaling.scale`."""

    def call(self, x: Any) -> Any:
        """Return scaled samples."""
        return ops.clip((x - self.offset) / self.span, -LIMIT, LIMIT)


@_register
class Unscale(Learned):
    """Inverse of `Scale`: x * span + offset."""

    def call(self, x: Any) -> Any:
        """Return samples in their original units."""
        return x * self.span + self.offset


@_register
class Score(keras.layers.Layer):
    r"""Mean of (x - x̂)² over the values of a sample: two inputs (n, \*shape), output (n,)."""

    def call(self, pair: Sequence[Any]) -> Any:
        """Return the scores of (samples, reconstructions)."""
        scaled, outputs = map(_rows, pair)
        return ops.mean(ops.square(scaled - outputs), axis=1)


@_register
class ManifoldScore(Learned):
    r"""Mean over the values of a sample of (x - x̂)² + w meanₖ (x̂ - x̂ₖ)²; see `AnomalyDetector`.

    Stored reconstructions are relative to their centre: one array serves for distances and for
    differences.

    Args:
        first: rank of the nearest neighbor to use.
        last: rank of the farthest neighbor to use.
        weight: w.
        images: whether samples are divided by their root mean square.
        shapes: shapes of ``known`` (m, values) and ``centre`` (values,).
        **kwargs: arguments of `keras.layers.Layer`.
    """

    def __init__(
        self,
        first: int,
        last: int,
        weight: float,
        images: bool,
        shapes: Mapping[str, Sequence[int]],
        **kwargs: Any,
    ) -> None:
        super().__init__(shapes, **kwargs)
        self.first, self.last, self.weight, self.images = first, last, weight, images

    def call(self, pair: Sequence[Any]) -> Any:
        """Return the scores of (samples, reconstructions): shape (n,)."""
        scaled, outputs = (self._normalized(_rows(values)) for values in pair)
        known, points = ops.convert_to_tensor(self.known), outputs - self.centre
        # Minus half the squared distances, without the term that is constant in each row. With
        # twice the product instead, LiteRT would store `known` twice.
        nearness = ops.einsum("nv,mv->nm", points, known) - ops.sum(ops.square(known), axis=1) / 2
        _, near = ops.top_k(nearness, self.last + 1)  # (n, last + 1), the nearest first
        differences = points[:, None] - ops.take(known, near[:, self.first :], axis=0)
        along = ops.mean(ops.square(differences), axis=1)  # (n, values), along the manifold
        return ops.mean(ops.square(scaled - outputs) + self.weight * along, axis=1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        names = ("first", "last", "weight", "images")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def _normalized(self, rows: Any) -> Any:
        if not self.images:
            return rows
        size = ops.sqrt(ops.mean(ops.square(rows), axis=1, keepdims=True))
        return rows / ops.maximum(size, np.finfo(np.float32).tiny)


@_register
class Label(Learned):
    """Labels of scores: -1 above the constant ``limit``, otherwise 1; int32."""

    def call(self, score: Any) -> Any:
        """Return the labels of scores."""
        return ops.where(score > self.limit, -1, 1)


@_register
class Classes(keras.layers.Layer):
    """Class of the largest value along the last axis: int32.

    Args:
        classes: integers, in the order of the axis.
        **kwargs: arguments of `keras.layers.Layer`.
    """

    def __init__(self, classes: Sequence[int] | np.ndarray, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.classes = [int(each) for each in classes]

    def call(self, probabilities: Any) -> Any:
        """Return the most probable classes."""
        # LiteRT lacks the operation that Keras uses for argmax, and ONNX the one for a look-up.
        _, index = ops.top_k(probabilities, 1)  # (..., 1)
        chosen = ops.equal(index, ops.arange(len(self.classes), dtype=index.dtype))
        classes = ops.convert_to_tensor(self.classes, "int32")
        return ops.cast(ops.sum(ops.where(chosen, classes, 0), axis=-1), "int32")

    def get_config(self) -> dict[str, Any]:
        """Return the classes."""
        return {**super().get_config(), "classes": self.classes}


def _rows(values: Any) -> Any:
    """Return ``values`` as (n, values per sample)."""
    return ops.reshape(values, (-1, int(np.prod(values.shape[1:]))))
