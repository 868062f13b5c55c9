"""A fitted estimator as one Keras graph from unscaled samples to named outputs.

The graph computes in float32, as the estimator does for float32 samples.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.estimators.graph_layers import Scale, Unscale
from ae_multi.estimators.scaling import needs_float64, scale
from ae_multi.exporting.graph import Graph, called, check_part, functional
from ae_multi.models.base import predict_float32
from ae_multi.models.inputs import CHANNELS_LAST

if TYPE_CHECKING:
    from ae_multi.estimators.base import NetworkEstimator


def graph_of(estimator: NetworkEstimator, part: str) -> Graph:
    """Return the `Graph` of a fitted estimator, of its encoder or of its decoder.

    Codes have shape (n, values), as those of `AutoencoderTransformer.transform`.

    Args:
        estimator: a fitted estimator.
        part: "model", "encoder" or "decoder".

    Raises:
        InputError: an unknown part, or a part that the estimator's network does not have.
    """
    check_part(part)
    network, shape = estimator.network_, estimator.sample_shape_
    if part != "model" and not hasattr(network, part):
        raise InputError(
            f"Expected part='model' for a {type(network).__name__}, which has no {part}. "
            f"Received: {part!r}."
        )

    def outputs(x):
        scaled = scaled_by(estimator, x)
        return estimator._graph_outputs(scaled, called(network, scaled))

    def scaled(x):
        return scale(x, estimator.input_offset_, estimator.input_span_)

    if part == "model":
        return Graph(
            functional(shape, outputs),
            bounds_of(estimator),
            outputs=lambda x: estimator._expected_outputs(scaled(x)),
            sizes=estimator._sizes,
            decided=estimator._decided,
        )
    encoder = functional(
        shape, lambda x: {"codes": _flat(called(network.encoder, scaled_by(estimator, x)))}
    )
    if part == "encoder":
        return Graph(
            encoder,
            bounds_of(estimator),
            outputs=lambda x: {"codes": _rows(predict_float32(network.encoder, scaled(x)))},
        )
    codes = tuple(network.encoder.output_shape[1:])

    def restored(x):
        if len(codes) > 1:
            x = keras.layers.Reshape(codes)(x)
        return {"reconstruction": unscaled_by(estimator, called(network.decoder, x))}

    def reconstructed(x):
        outputs = predict_float32(network.decoder, x.reshape(len(x), *codes))
        return {"reconstruction": estimator._unscaled(outputs)}

    first = keras.Model(encoder.inputs, encoder.outputs[0])
    return Graph(
        functional((math.prod(codes),), restored),
        bounds_of(estimator),
        first=first,
        outputs=reconstructed,
    )


def scaled_by(estimator: NetworkEstimator, x: Any) -> Any:
    """Return the symbolic samples ``x``, scaled for the estimator's network."""
    if estimator.input_offset_ is None:
        return x
    _check_float32(estimator)
    span = estimator.input_span_
    return Scale.of(offset=estimator.input_offset_, span=np.where(span == 0, 1, span))(x)


def unscaled_by(estimator: NetworkEstimator, x: Any) -> Any:
    """Return symbolic outputs ``x`` of the network in the units of the samples."""
    if estimator.input_offset_ is None:
        return x
    _check_float32(estimator)
    return Unscale.of(offset=estimator.input_offset_, span=estimator.input_span_)(x)


def _check_float32(estimator: NetworkEstimator) -> None:
    if needs_float64(estimator.input_offset_, estimator.input_span_):
        raise InputError(
            "Expected an estimator of samples in the range of float32, the dtype of graphs. "
            f"Received: offsets up to {np.max(np.abs(estimator.input_offset_)):g} and spans from "
            f"{np.min(estimator.input_span_):g} to {np.max(estimator.input_span_):g}. "
            "Scale the samples before fit."
        )


def bounds_of(estimator: NetworkEstimator) -> tuple[Any, Any] | None:
    """Return the (lowest, highest) likely value of samples, unscaled; None if unbounded."""
    offset, span = estimator.input_offset_, estimator.input_span_
    if offset is None:
        return getattr(estimator.network_, "value_range", None)
    if estimator.scale == "standard":
        return offset - 2 * span, offset + 2 * span
    return offset, offset + span


def _flat(codes: Any) -> Any:
    return keras.layers.Flatten(data_format=CHANNELS_LAST)(codes)


def _rows(codes: np.ndarray) -> np.ndarray:
    return codes.reshape(len(codes), -1)
