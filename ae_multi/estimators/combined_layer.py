"""The score "combined" as a Keras layer, for exported graphs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ae_multi._keras import keras
from ae_multi.estimators import combined_score
from ae_multi.estimators.graph_layers import Learned
from ae_multi.estimators.neighbors import places

ops = keras.ops


@keras.saving.register_keras_serializable("ae_multi")
class CombinedScore(Learned):
    r"""The score of `ae_multi.estimators.combined_score`: two inputs (n, \*shape), output (n,).

    Args:
        neighbors: number of nearest rows of the term "near".
        shapes: shapes of the constants of `ae_multi.estimators.combined_score.fit`.
        **kwargs: arguments of `keras.layers.Layer`.
    """

    def __init__(self, neighbors: int, shapes: Mapping[str, Sequence[int]], **kwargs: Any) -> None:
        super().__init__(shapes, **kwargs)
        self.neighbors = neighbors

    def call(self, pair: Sequence[Any]) -> Any:
        """Return the scores of (samples, reconstructions): shape (n,)."""
        features = int(np.prod(pair[0].shape[1:]))
        scaled, outputs = (ops.reshape(values, (-1, features)) for values in pair)
        standard = (scaled - self.mean) / self.deviation
        robust = _arcsinh((scaled - self.median) / self.spread)
        robust = (robust - self.robust_mean) / self.robust_deviation
        codes = ops.einsum("nf,cf->nc", standard, self.components)
        residual = standard - ops.einsum("nc,cf->nf", codes, self.components)
        known = ops.convert_to_tensor(self.rows)
        bulk = known[:: combined_score.bulk_step(known.shape[0])]
        values = [
            ops.square(scaled - outputs),
            ops.square(residual),
            _squared_differences(robust, known, self.neighbors),
            _squared_differences(robust, bulk, combined_score.bulk_count(bulk.shape[0])),
            self._rarity(robust),
        ]
        errors = ops.stack([ops.mean(each, axis=1) for each in values], axis=1)  # (n, terms)
        exponents = (ops.log(errors + self.floor) - self.location) / self.scale
        exponents = exponents + ops.log(self.term_weights)
        largest = ops.maximum(ops.max(exponents, axis=1), 0)
        total = ops.sum(ops.exp(exponents - largest[:, None]), axis=1) + ops.exp(-largest)
        return largest + ops.log(total)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return {**super().get_config(), "neighbors": self.neighbors}

    def _rarity(self, robust: Any) -> Any:
        """Return the rarity of each value, linear between the knots."""
        knots, rarities = map(ops.convert_to_tensor, (self.knots, self.rarities))
        position = (robust[:, None] - knots[:-1]) / (knots[1:] - knots[:-1])
        rises = (rarities[1:] - rarities[:-1]) * ops.clip(position, 0, 1)
        return rarities[0] + ops.sum(rises, axis=1)


def _arcsinh(x: Any) -> Any:
    """Return the inverse hyperbolic sine; LiteRT has no operation of that name."""
    size = ops.abs(x)
    return ops.sign(x) * ops.log(size + ops.sqrt(ops.square(x) + 1))


def _squared_differences(points: Any, known: Any, count: int) -> Any:
    """Return what `ae_multi.estimators.neighbors.squared_differences` returns."""
    first, last = places(count, known.shape[0])
    # Minus half the squared distances, without the term that is constant in each row.
    nearness = ops.einsum("nf,mf->nm", points, known) - ops.sum(ops.square(known), axis=1) / 2
    _, near = ops.top_k(nearness, last + 1)
    differences = points[:, None] - ops.take(known, near[:, first:], axis=0)
    return ops.mean(ops.square(differences), axis=1)
