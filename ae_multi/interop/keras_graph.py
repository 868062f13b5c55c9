"""Conversion of a network to a Keras model of Keras layers and operations."""

from typing import Any

from ae_multi._keras import keras
from ae_multi.interop.graph import Part
from ae_multi.models.inputs import CHANNELS_LAST

kl, ops = keras.layers, keras.ops


def part_of(part: Part) -> keras.Model:
    """Return ``part`` as a `keras.Sequential`, or as a functional model if it is not a chain."""
    if part.is_chain and not any(layer.kind in _OPERATIONS for layer in part.layers):
        layers: list[Any] = []
        for layer in part.layers:
            _append(layers, layer)
        model = keras.Sequential([keras.Input(part.takes), *layers], name=part.name)
    else:
        values = [keras.Input(part.takes)]
        for layer in part.layers:
            inputs = [values[i] for i in layer.inputs]
            if layer.kind in _OPERATIONS:
                values.append(_OPERATIONS[layer.kind](layer, *inputs))
            else:
                values.append(
                    _keras_layer(layer)(inputs if layer.kind == "concatenate" else inputs[0])
                )
        model = keras.Model(values[0], values[part.output], name=part.name)
    for layer in part.layers:
        if layer.variables and layer.kind not in _OPERATIONS:
            model.get_layer(layer.name).set_weights(list(layer.weights.values()))
    return model


def _append(layers, layer):
    """Append ``layer``, or set it as the activation of the last layer if it came from that one."""
    keras_layer = _keras_layer(layer)
    before = layers[-1] if layers else None
    if isinstance(keras_layer, kl.Activation) and getattr(before, "name", None) == layer.name:
        before.activation = keras_layer.activation
    else:
        layers.append(keras_layer)


def _keras_layer(layer):
    """Return the Keras layer of a `Layer`, without its weights."""
    name = {"name": layer.name} if layer.variables else {}
    return _LAYERS[layer.kind](layer, dict(layer.settings), **name)


def _dense(layer, settings, name):
    units = layer.variables["kernel"].shape[1]
    return kl.Dense(units, use_bias="bias" in layer.variables, name=name)


def _convolution(layer, settings, name):
    height, width, _, filters = layer.variables["kernel"].shape
    dilation = settings.pop("dilation")
    return kl.Conv2D(
        filters,
        (height, width),
        dilation_rate=dilation,
        use_bias="bias" in layer.variables,
        name=name,
        data_format=CHANNELS_LAST,
        **settings,
    )


def _deconvolution(layer, settings, name):
    height, width, filters, _ = layer.variables["kernel"].shape
    has_bias = "bias" in layer.variables
    return kl.Conv2DTranspose(
        filters,
        (height, width),
        use_bias=has_bias,
        name=name,
        data_format=CHANNELS_LAST,
        **settings,
    )


def _pad(layer, settings):
    edges = settings["edges"]
    if all(edge <= 0 for side in edges for edge in side):
        return kl.Cropping2D(tuple((-a, -b) for a, b in edges), data_format=CHANNELS_LAST)
    return kl.ZeroPadding2D(edges, data_format=CHANNELS_LAST)


def _enlarge(layer, settings):
    interpolation = "bilinear" if settings["bilinear"] else "nearest"
    return kl.UpSampling2D(settings["by"], interpolation=interpolation, data_format=CHANNELS_LAST)


def _pool(layer, settings):
    pooling = {"max": kl.MaxPooling2D, "mean": kl.AveragePooling2D}[settings.pop("what")]
    return pooling(settings.pop("size"), data_format=CHANNELS_LAST, **settings)


def _activation(layer, settings):
    of = settings.pop("of")
    if of == "elu":
        return kl.ELU(**settings)
    if of == "relu" and settings != {"slope": 0.0, "highest": None}:
        return kl.ReLU(max_value=settings["highest"], negative_slope=settings["slope"])
    return kl.Activation(of)


def _top_k(layer, x):
    threshold = ops.top_k(x, layer.settings["k"])[0][:, -1:]
    return ops.where(x >= threshold, x, ops.zeros_like(x))


def _first_half(layer, x):
    return ops.split(x, 2, axis=-1)[0]


def _nearest_word(layer, x):
    """Compute |z - e|² - |z|² by a dense layer, and look up e in an embedding; both are frozen."""
    codebook = layer.weights["codebook"]
    distances = kl.Dense(len(codebook), trainable=False, name=f"{layer.name}_distances")
    embedding = kl.Embedding(*codebook.shape, trainable=False, name=layer.name)
    output = embedding(ops.argmin(distances(x), axis=-1))
    distances.set_weights([-2 * codebook.T, (codebook**2).sum(1)])
    embedding.set_weights([codebook])
    return output


# Steps that are operations and not layers; a Sequential cannot contain them.
_OPERATIONS = {"top_k": _top_k, "first_half": _first_half, "nearest_word": _nearest_word}
_LAYERS = {
    "dense": _dense,
    "convolution": _convolution,
    "deconvolution": _deconvolution,
    "flatten": lambda layer, settings: kl.Flatten(data_format=CHANNELS_LAST),
    "reshape": lambda layer, settings: kl.Reshape(layer.gives),
    "pad": _pad,
    "enlarge": _enlarge,
    "pool": _pool,
    "normalise": lambda layer, settings, name: kl.BatchNormalization(name=name, **settings),
    "normalise_sample": lambda layer, settings, name: kl.LayerNormalization(name=name, **settings),
    "activation": _activation,
    "concatenate": lambda layer, settings: kl.Concatenate(**settings),
    "dropout": lambda layer, settings: kl.Dropout(**settings),
}
