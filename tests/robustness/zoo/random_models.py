"""Random models without faults, each a function ``random_N`` of this module.

They consist of layers, losses and optimizers for which the backends are known to agree;
docs/differences.md lists the others.
"""

import random

ACTIVATIONS = ("relu", "tanh", "sigmoid", "swish", "gelu", "softplus", "leaky_relu", None)
LOSSES = (
    "mse",
    "mae",
    "huber",
    "log_cosh",
    "binary_crossentropy",
    "sparse_categorical_crossentropy",
)
OPTIMIZERS = ("sgd", "adam", "adamw", "rmsprop", "adagrad", "nadam", "adamax")
CLASSES, WORDS = 6, 40
# For each kind of input: the layers, by the names of `_LAYERS`, that may follow one another.
KINDS = {
    "vector": ("dense", "dense", "residual", "batch_norm", "layer_norm", "dropout"),
    "sequence": (
        "lstm", "gru", "simple_rnn", "conv1d", "dense", "attention", "batch_norm", "layer_norm",
        "dropout", "pool1d",
    ),
    "image": (
        "conv2d", "conv2d", "depthwise", "separable", "transposed", "batch_norm", "group_norm",
        "dropout", "pool2d", "upsample", "residual_conv",
    ),
}  # fmt: skip


def draw(number):
    """Draw a model.

    Args:
        number: integer that determines the model.

    Returns:
        Dict of ``kind`` (a key of `KINDS` or "words"), ``shape`` of one sample, ``blocks`` (list
        of (layer, width, activation)), ``flatten``, ``loss`` and ``optimizer``.
    """
    chance = random.Random(f"model {number}")
    kind = chance.choice([*KINDS, "image", "words"])
    side = chance.choice((6, 8, 12))
    shape = {
        "vector": (chance.randrange(6, 40),),
        "sequence": (side, chance.randrange(2, 9)),
        "image": (side, side, chance.choice((1, 3))),
        "words": (side,),
    }[kind]
    names = KINDS["sequence" if kind == "words" else kind]
    blocks = [
        (chance.choice(names), 4 * chance.randrange(1, 6), chance.choice(ACTIVATIONS))
        for _ in range(chance.randrange(2, 7))
    ]
    # Adam on an embedding differs on TensorFlow, see docs/differences.md.
    optimizer = "sgd" if kind == "words" else chance.choice(OPTIMIZERS)
    return {
        "kind": kind,
        "shape": shape,
        "blocks": blocks,
        "flatten": chance.choice(("flatten", "average", "max")),
        "loss": chance.choice(LOSSES),
        "optimizer": optimizer,
    }


def build(number):
    """Return the compiled Keras model that `draw` describes."""
    import keras

    layers, drawn = keras.layers, draw(number)
    words = drawn["kind"] == "words"
    x = inputs = keras.Input(drawn["shape"], dtype="int32" if words else "float32")
    if words:
        x = layers.Embedding(WORDS, 8)(x)
    for name, width, activation in drawn["blocks"]:
        x = _LAYERS[name](layers, x, width, activation)
    x = _flatten(layers, x, drawn["flatten"])
    loss = drawn["loss"]
    units = CLASSES if loss == "sparse_categorical_crossentropy" else 3
    last = {"binary_crossentropy": "sigmoid", "sparse_categorical_crossentropy": "softmax"}
    model = keras.Model(inputs, layers.Dense(units, activation=last.get(loss))(x))
    model.compile(keras.optimizers.get(drawn["optimizer"]), loss)
    return model


def _flatten(layers, x, method):
    rank = len(x.shape) - 2
    if rank == 0 or method == "flatten":
        return layers.Flatten()(x)
    pool = "GlobalAveragePooling" if method == "average" else "GlobalMaxPooling"
    return getattr(layers, f"{pool}{rank}D")()(x)


def _residual(layers, x, width, activation, layer):
    y = layer(width, activation)(x)
    return layers.Add()([x, layer(x.shape[-1], None)(y)])


def _pool(layers, x, width, rank):
    kind = "MaxPooling" if width % 8 else "AveragePooling"
    return getattr(layers, f"{kind}{rank}D")(2)(x) if x.shape[1] >= 4 else x


def _recurrent(kind):
    return lambda layers, x, width, _: getattr(layers, kind)(width, return_sequences=True)(x)


_LAYERS = {
    "dense": lambda layers, x, width, activation: layers.Dense(width, activation)(x),
    "residual": lambda layers, x, width, activation: _residual(
        layers, x, width, activation, layers.Dense
    ),
    "residual_conv": lambda layers, x, width, activation: _residual(
        layers,
        x,
        width,
        activation,
        lambda filters, function: layers.Conv2D(filters, 3, padding="same", activation=function),
    ),
    "batch_norm": lambda layers, x, *_: layers.BatchNormalization()(x),
    "layer_norm": lambda layers, x, *_: layers.LayerNormalization()(x),
    "group_norm": lambda layers, x, *_: layers.GroupNormalization(1)(x),
    "dropout": lambda layers, x, width, _: layers.Dropout(width / 80)(x),
    "lstm": _recurrent("LSTM"),
    "gru": _recurrent("GRU"),
    "simple_rnn": _recurrent("SimpleRNN"),
    "conv1d": lambda layers, x, width, activation: layers.Conv1D(
        width, 3, padding="same", activation=activation
    )(x),
    "attention": lambda layers, x, *_: layers.Add()([x, layers.MultiHeadAttention(2, 4)(x, x)]),
    "pool1d": lambda layers, x, width, _: _pool(layers, x, width, 1),
    "conv2d": lambda layers, x, width, activation: layers.Conv2D(
        width, 3, strides=1 + (width % 8 == 0), padding="same", activation=activation
    )(x),
    "depthwise": lambda layers, x, _, activation: layers.DepthwiseConv2D(
        3, padding="same", activation=activation
    )(x),
    "separable": lambda layers, x, width, activation: layers.SeparableConv2D(
        width, 3, padding="same", activation=activation
    )(x),
    "transposed": lambda layers, x, width, activation: layers.Conv2DTranspose(
        width, 3, padding="same", activation=activation
    )(x),
    "pool2d": lambda layers, x, width, _: _pool(layers, x, width, 2),
    "upsample": lambda layers, x, width, _: (
        layers.UpSampling2D(interpolation="bilinear" if width % 8 else "nearest")(x)
        if x.shape[1] <= 8
        else x
    ),
}


def __getattr__(name):
    number = name.removeprefix("random_")
    if name == number or not number.isdecimal():
        raise AttributeError(f"Expected random_N. Received: {name}.")
    return lambda: build(int(number))
