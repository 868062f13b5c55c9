"""A fitted estimator as one Keras graph: samples in the caller's units in, findings out.

Every number is a float32, as it is for the estimator itself where it is given float32.
"""

import math

import numpy as np

from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.estimators.graph_layers import Scale, Unscale
from ae_multi.estimators.scaling import needs_float64, scale
from ae_multi.exporting.graph import Graph, called, check_part, functional
from ae_multi.models.base import predict_float32
from ae_multi.models.inputs import CHANNELS_LAST


def graph_of(estimator, part):
    """The `Graph` of a fitted estimator, of what comes before its codes, or of what comes behind.

    Codes are rows, as those of `AutoencoderTransformer.transform`.

    Raises:
        InputError: an unknown part, or one that the estimator's network does not have.
    """
    check_part(part)
    network, shape = estimator.network_, estimator.sample_shape_
    if part != "model" and not hasattr(network, part):
        raise InputError(
            f"Expected part='model' for a {type(network).__name__}, which is one whole. "
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


def scaled_by(estimator, x):
    """Samples ``x`` as the estimator's network takes them, symbolically."""
    if estimator.input_offset_ is None:
        return x
    _check_float32(estimator)
    span = estimator.input_span_
    return Scale.of(offset=estimator.input_offset_, span=np.where(span == 0, 1, span))(x)


def unscaled_by(estimator, x):
    """The network's outputs in the caller's units, symbolically."""
    if estimator.input_offset_ is None:
        return x
    _check_float32(estimator)
    return Unscale.of(offset=estimator.input_offset_, span=estimator.input_span_)(x)


def _check_float32(estimator):
    if needs_float64(estimator.input_offset_, estimator.input_span_):
        raise InputError(
            "Expected an estimator of samples within float32, in which graphs compute. Received: "
            f"offsets up to {np.max(np.abs(estimator.input_offset_)):g} and spans from "
            f"{np.min(estimator.input_span_):g} to {np.max(estimator.input_span_):g}. Scale "
            "samples before fit."
        )


def bounds_of(estimator):
    """(lowest, highest) value of likely samples, in the caller's units; None for any."""
    offset, span = estimator.input_offset_, estimator.input_span_
    if offset is None:
        return getattr(estimator.network_, "value_range", None)
    if estimator.scale == "standard":
        return offset - 2 * span, offset + 2 * span
    return offset, offset + span


def _flat(codes):
    return keras.layers.Flatten(data_format=CHANNELS_LAST)(codes)


def _rows(codes):
    return codes.reshape(len(codes), -1)
