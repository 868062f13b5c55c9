"""Convolution, pooling and reshaping layers in one, two and three dimensions."""

from tests.robustness.sweep.branch import Configuration, Numbers
from tests.robustness.sweep.families import SPATIAL


def _dimensions(draw):
    return next(int(c) for c in reversed(draw.layer) if c.isdigit())


def _one(draw, config, shape=None):
    shape = shape or draw.of(*SPATIAL[_dimensions(draw)])
    return Configuration(draw.layer, config, [Numbers(shape)])


def _sizes(draw, *choices):
    """Return one size for all dimensions, or a tuple of one for each."""
    each = tuple(draw.of(*choices) for _ in range(_dimensions(draw)))
    return draw.of(each[0], each)


def convolution(draw):
    found = []
    for padding in ("valid", "same", *(["causal"] if draw.layer == "Conv1D" else [])):
        config = {"filters": 6, "kernel_size": _sizes(draw, 1, 2, 3, 4), "padding": padding}
        config |= {"groups": draw.of(1, 2), "use_bias": draw.of(True, False)}
        config |= draw.of({"strides": _sizes(draw, 1, 2, 3)}, {"dilation_rate": 2})
        if config.get("dilation_rate"):
            config["kernel_size"] = draw.of(2, 3)
        found.append(_one(draw, config))
    channels_first = {"filters": 6, "kernel_size": 3, "data_format": "channels_first"}
    return [*found, _one(draw, {**channels_first, "padding": draw.of("valid", "same")})]


def transposed(draw):
    found = []
    for padding in ("valid", "same"):
        config = {"filters": 3, "kernel_size": _sizes(draw, 1, 2, 3, 4), "padding": padding}
        strides = draw.of(1, 2, 3)
        config |= {"strides": strides}
        if strides > 1 and draw.of(True, False):
            config["output_padding"] = draw.of(*range(strides))
        found.append(_one(draw, config))
    dilated = {"filters": 3, "kernel_size": draw.of(2, 3), "dilation_rate": 2}
    return [*found, _one(draw, {**dilated, "padding": draw.of("valid", "same")})]


def separable(draw):
    found = []
    for padding in ("valid", "same"):
        config = {"kernel_size": draw.of(1, 2, 3, 4), "padding": padding}
        config |= {"depth_multiplier": draw.of(1, 2)}
        config |= draw.of({"strides": draw.of(1, 2, 3)}, {"dilation_rate": 2})
        if draw.layer.startswith("Separable"):
            config["filters"] = 5
        if config.get("dilation_rate"):
            config["kernel_size"] = draw.of(2, 3)
        found.append(_one(draw, config))
    return found


def pooling(draw):
    found = []
    for padding in ("valid", "same"):
        config = {"pool_size": _sizes(draw, 2, 3, 4), "padding": padding}
        config |= {"strides": draw.of(None, 1, 2, 3)}
        found.append(_one(draw, config))
    channels_first = {"pool_size": 2, "padding": draw.of("valid", "same")}
    return [*found, _one(draw, {**channels_first, "data_format": "channels_first"})]


def global_pooling(draw):
    formats = draw.of("channels_first", "channels_last")
    return [_one(draw, {"keepdims": draw.of(True, False), "data_format": formats})]


def adaptive_pooling(draw):
    return [
        _one(draw, {"output_size": _sizes(draw, 1, 2, 3, 4)}),
        _one(draw, {"output_size": 3, "data_format": "channels_first"}),
    ]


def spatial_dropout(draw):
    return [_one(draw, {"rate": draw.of(0.2, 0.5)})]


def cropping_or_padding(draw):
    """Return a cropping or padding layer with a number, or with a pair for each dimension."""
    name = "cropping" if draw.layer.startswith("Cropping") else "padding"
    pairs = tuple((draw.of(0, 1), draw.of(1, 2)) for _ in range(_dimensions(draw)))
    return [_one(draw, {name: draw.of(1, pairs[0] if len(pairs) == 1 else pairs)})]


def up_sampling(draw):
    if draw.layer != "UpSampling2D":
        return [_one(draw, {"size": draw.of(1, 2, 3)})]
    return [
        _one(draw, {"size": draw.of(2, 3, (2, 3)), "interpolation": interpolation})
        for interpolation in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
    ]


def flatten(draw):
    formats = draw.of("channels_first", "channels_last")
    return [_one(draw, {"data_format": formats}, (7, 6, 4))]


def permute(draw):
    return [_one(draw, {"dims": draw.of((2, 1, 3), (3, 1, 2), (2, 3, 1))}, (7, 6, 4))]


def reshape(draw):
    return [_one(draw, {"target_shape": draw.of((14, -1), (4, 6, 7), (-1,))}, (7, 6, 4))]


def repeat_vector(draw):
    return [_one(draw, {"n": draw.of(1, 3)}, (9,))]


def _each(pattern, dimensions=(1, 2, 3)):
    """Return the class names of ``pattern`` for these numbers of dimensions."""
    return [pattern.format(d) for d in dimensions]


DRAWS = {
    **dict.fromkeys(_each("Conv{}D"), convolution),
    **dict.fromkeys(_each("Conv{}DTranspose"), transposed),
    **dict.fromkeys(_each("SeparableConv{}D", (1, 2)), separable),
    **dict.fromkeys(_each("DepthwiseConv{}D", (1, 2)), separable),
    **dict.fromkeys([*_each("MaxPooling{}D"), *_each("AveragePooling{}D")], pooling),
    **dict.fromkeys(
        [*_each("GlobalMaxPooling{}D"), *_each("GlobalAveragePooling{}D")], global_pooling
    ),
    **dict.fromkeys(
        [*_each("AdaptiveMaxPooling{}D"), *_each("AdaptiveAveragePooling{}D")], adaptive_pooling
    ),
    **dict.fromkeys(_each("SpatialDropout{}D"), spatial_dropout),
    **dict.fromkeys([*_each("Cropping{}D"), *_each("ZeroPadding{}D")], cropping_or_padding),
    **dict.fromkeys(_each("UpSampling{}D"), up_sampling),
    "Flatten": flatten,
    "Permute": permute,
    "Reshape": reshape,
    "RepeatVector": repeat_vector,
}
