"""What an estimator does around its network, as Keras layers, so that all of it is one graph.

Everything that `fit` learned is a weight that is not trained: weights are what is handed over from
one backend to another, and what files of other formats hold once.
"""

import numpy as np

from ae_multi._keras import keras
from ae_multi.estimators.scaling import LIMIT

ops = keras.ops
_register = keras.saving.register_keras_serializable("ae_multi")


class Learned(keras.layers.Layer):
    """A layer of constants, whose shapes its configuration knows and whose values are weights.

    Args:
        shapes: dict of the constants' names to their shapes.
    """

    def __init__(self, shapes, **kwargs):
        super().__init__(trainable=False, **kwargs)
        self.shapes = {name: tuple(shape) for name, shape in shapes.items()}
        for name, shape in self.shapes.items():
            weight = self.add_weight(shape=shape, initializer="zeros", trainable=False, name=name)
            setattr(self, name, weight)
        self.built = True

    @classmethod
    def of(cls, *args, **values):
        """One that holds ``values``, arrays by name."""
        values = {name: np.asarray(value, np.float32) for name, value in values.items()}
        layer = cls(*args, {name: value.shape for name, value in values.items()})
        layer.set_weights(list(values.values()))
        return layer

    def get_config(self):
        """The shapes of the constants."""
        return {"name": self.name, "shapes": self.shapes}


@_register
class Scale(Learned):
    """(x - offset) / span, at most `LIMIT` from 0, as `ae_multi.estimators.scaling.scale`."""

    def call(self, x):
        """Scaled samples."""
        return ops.clip((x - self.offset) / self.span, -LIMIT, LIMIT)


@_register
class Unscale(Learned):
    """The way back, x * span + offset."""

    def call(self, x):
        """Samples in the caller's units."""
        return x * self.span + self.offset


@_register
class Score(keras.layers.Layer):
    r"""The mean of (x - x̂)² over a sample's values: (n, \*shape) twice to (n,)."""

    def call(self, pair):
        """The score of (samples, reconstructions)."""
        scaled, outputs = map(_rows, pair)
        return ops.mean(ops.square(scaled - outputs), axis=1)


@_register
class ManifoldScore(Learned):
    r"""The mean over a sample's values of (x - x̂)² + w meanₖ (x̂ - x̂ₖ)²; see `AnomalyDetector`.

    Of the remembered reconstructions it holds the way from their centre, once: of them distances
    are taken, and differences too.

    Args:
        first: the place of the nearest neighbor that counts.
        last: the place of the farthest.
        weight: w.
        images: whether samples are divided by the root of their mean square.
        shapes: of ``known`` (m, values) and ``centre`` (values,).
    """

    def __init__(self, first, last, weight, images, shapes, **kwargs):
        super().__init__(shapes, **kwargs)
        self.first, self.last, self.weight, self.images = first, last, weight, images

    def call(self, pair):
        """The score of (samples, reconstructions): (n,)."""
        scaled, outputs = (self._compared(_rows(values)) for values in pair)
        known, points = ops.convert_to_tensor(self.known), outputs - self.centre
        # Half the squared distances, less what all of a row have in common, with the sign
        # changed. Twice the product would do too, but LiteRT then holds all of `known` twice.
        nearness = ops.einsum("nv,mv->nm", points, known) - ops.sum(ops.square(known), axis=1) / 2
        _, near = ops.top_k(nearness, self.last + 1)  # (n, last + 1), the nearest first
        differences = points[:, None] - ops.take(known, near[:, self.first :], axis=0)
        along = ops.mean(ops.square(differences), axis=1)  # (n, values)
        return ops.mean(ops.square(scaled - outputs) + self.weight * along, axis=1)

    def get_config(self):
        """Which neighbors count and how much, and the shapes of the constants."""
        own = ("first", "last", "weight", "images")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}

    def _compared(self, rows):
        if not self.images:
            return rows
        size = ops.sqrt(ops.mean(ops.square(rows), axis=1, keepdims=True))
        return rows / ops.maximum(size, np.finfo(np.float32).tiny)


@_register
class Label(Learned):
    """-1 for scores above the limit, and 1 for others: int32."""

    def call(self, score):
        """Labels of scores."""
        return ops.where(score > self.limit, -1, 1)


@_register
class Classes(keras.layers.Layer):
    """The class of the largest value along the last axis: int32.

    Args:
        classes: integers, in the order of the axis.
    """

    def __init__(self, classes, **kwargs):
        super().__init__(**kwargs)
        self.classes = [int(each) for each in classes]

    def call(self, probabilities):
        """The likeliest classes."""
        # LiteRT lacks what Keras makes of argmax, and ONNX what it makes of a look-up.
        _, place = ops.top_k(probabilities, 1)  # (..., 1)
        chosen = ops.equal(place, ops.arange(len(self.classes), dtype=place.dtype))
        classes = ops.convert_to_tensor(self.classes, "int32")
        return ops.cast(ops.sum(ops.where(chosen, classes, 0), axis=-1), "int32")

    def get_config(self):
        """The classes."""
        return {**super().get_config(), "classes": self.classes}


def _rows(values):
    return ops.reshape(values, (-1, int(np.prod(values.shape[1:]))))
