"""Models without faults: each divergence that the comparison reports is a false positive.

Together they contain the layers, losses, regularizers and optimizers of common autoencoders.
"""

import keras
from keras import layers, losses, ops, optimizers, regularizers


def convolutional():
    """Strided and transposed convolutions; Nadam, binary cross-entropy."""
    return _compiled(
        [
            keras.Input((16, 16, 1)),
            layers.Conv2D(8, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2DTranspose(1, 3, strides=2, padding="same", activation="sigmoid"),
        ],
        optimizers.Nadam(1e-3),
        "binary_crossentropy",
    )


def separable():
    """Depthwise and separable convolutions, group normalization, pooling; clipped gradients."""
    return _compiled(
        [
            keras.Input((16, 16, 2)),
            layers.SeparableConv2D(8, 3, padding="same", activation="relu"),
            layers.GroupNormalization(4),
            layers.MaxPooling2D(),
            layers.DepthwiseConv2D(3, padding="same", activation="swish"),
            layers.AveragePooling2D(2),
            layers.UpSampling2D(4, interpolation="bilinear"),
            layers.Conv2D(2, 1),
        ],
        optimizers.Adam(1e-3, clipnorm=0.1),
        "mse",
    )


def pooled():
    """Equal gradients at every position of an image; a counter among the weights.

    TensorFlow adds the 8,192 terms of the gradient of the depthwise bias one after another.
    """
    return _compiled(
        [
            keras.Input((16, 16, 3)),
            layers.Normalization(name="normalization"),
            layers.Conv2D(8, 3, padding="same", activation="swish"),
            layers.DepthwiseConv2D(3, padding="same", name="depthwise"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10),
        ],
        optimizers.SGD(0.1),
        "mse",
    )


def inverted_residual():
    """A block of MobileNetV2, which normalizes values of mean 0."""
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(image)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.BatchNormalization()(layers.Conv2D(4, 1, use_bias=False)(x))
    y = layers.Conv2D(12, 1, use_bias=False)(x)
    y = layers.ReLU(6.0)(layers.BatchNormalization(name="zero_mean")(y))
    y = layers.BatchNormalization()(layers.Conv2D(4, 1, use_bias=False)(y))
    x = layers.GlobalAveragePooling2D()(layers.Add()([x, y]))
    model = keras.Model(image, layers.Dense(10, activation="softmax")(x))
    model.compile(optimizers.Adam(1e-3), "mse")
    return model


def recurrent():
    """An LSTM encoder and an LSTM decoder of sequences; RMSprop."""
    return _compiled(
        [
            keras.Input((10, 4)),
            layers.LSTM(12, dropout=0.1),
            layers.RepeatVector(10),
            layers.LSTM(12, return_sequences=True),
            layers.TimeDistributed(layers.Dense(4)),
        ],
        optimizers.RMSprop(1e-3),
        "mse",
    )


def both_ways():
    """Bidirectional GRUs; Huber loss, Adamax."""
    return _compiled(
        [
            keras.Input((8, 5)),
            layers.Bidirectional(layers.GRU(6)),
            layers.RepeatVector(8),
            layers.GRU(10, return_sequences=True),
            layers.Dense(5),
        ],
        optimizers.Adamax(1e-3),
        losses.Huber(0.3),
    )


def attention():
    """A block of a transformer: attention, layer normalisation, GELU; AdamW."""
    tokens = keras.Input((9, 16))
    x = layers.LayerNormalization()(tokens)
    x = layers.Add()([tokens, layers.MultiHeadAttention(2, 8, dropout=0.1)(x, x)])
    y = layers.Dense(32, activation="gelu")(layers.LayerNormalization()(x))
    x = layers.Add()([x, layers.Dense(16)(y)])
    model = keras.Model(tokens, x)
    model.compile(optimizers.AdamW(1e-3, weight_decay=0.01), "mse")
    return model


def embedded():
    """Inputs of words and numbers, outputs of a class and numbers; two weighted losses."""
    words, table = keras.Input((6,), dtype="int32"), keras.Input((5,))
    x = layers.GlobalAveragePooling1D()(layers.Embedding(40, 8)(words))
    x = layers.Concatenate()([x, layers.Dense(8, activation="tanh")(table)])
    x = layers.Dense(16, activation="relu")(x)
    outputs = [layers.Dense(7, activation="softmax")(x), layers.Dense(5)(x)]
    model = keras.Model([words, table], outputs)
    # Adam differs for repeated words on TensorFlow, which would be a true positive.
    optimizer = optimizers.SGD(0.1, momentum=0.9)
    model.compile(optimizer, ["sparse_categorical_crossentropy", "mse"], loss_weights=[1.0, 0.3])
    return model


def noisy():
    """Batch normalization with all kinds of dropout and noise."""
    return _compiled(
        [
            keras.Input((12, 12, 2)),
            layers.GaussianNoise(0.1),
            layers.Conv2D(8, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.LeakyReLU(0.1),
            layers.SpatialDropout2D(0.2),
            layers.Flatten(),
            layers.Dense(20, activation="relu"),
            layers.BatchNormalization(),
            layers.GaussianDropout(0.1),
            layers.Dropout(0.3),
            layers.Dense(288, activation="sigmoid"),
            layers.Reshape((12, 12, 2)),
        ],
        optimizers.Adam(1e-3),
        "mse",
    )


def smooth():
    """GELU, tanh, softplus, SiLU and ELU; SGD with Nesterov's momentum."""
    kinds = ["gelu", "tanh", "softplus", "silu", "elu", "selu", "softsign"]
    return _compiled(
        [
            keras.Input((30,)),
            *[layers.Dense(24, activation=kind) for kind in kinds],
            layers.Dense(30),
        ],
        optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        "mse",
    )


def regularized():
    """Penalties on weights and outputs; Adagrad."""
    return _compiled(
        [
            keras.Input((40,)),
            layers.Dense(24, activation="relu", kernel_regularizer=regularizers.L2(1e-2)),
            layers.Dense(6, activity_regularizer=regularizers.L1(1e-3), name="code"),
            layers.Dense(
                24,
                activation="relu",
                kernel_regularizer=regularizers.L1L2(1e-4, 1e-3),
                bias_regularizer="l2",
                kernel_constraint=keras.constraints.MaxNorm(1.0),
            ),
            layers.Dense(40, activation="sigmoid"),
        ],
        optimizers.Adagrad(0.01),
        "mse",
    )


def by_sign():
    """Lion, whose steps are signs."""
    return _compiled(_dense(40, 16), optimizers.Lion(1e-3), "mse")


def by_median():
    """The mean absolute error, whose gradient is a sign; SGD."""
    return _compiled(_dense(40, 16), optimizers.SGD(0.1), "mae")


def adaptive():
    """Adadelta, the cosine similarity and unit normalisation."""
    return _compiled(
        [*_dense(40, 16)[:-1], layers.Dense(40), layers.UnitNormalization()],
        optimizers.Adadelta(0.1),
        losses.CosineSimilarity(),
    )


def followed():
    """Ftrl, a learning rate that decays, a logarithmic loss."""
    rate = optimizers.schedules.ExponentialDecay(0.05, decay_steps=3, decay_rate=0.8)
    return _compiled(_dense(30, 8), optimizers.Ftrl(rate), "mean_squared_logarithmic_error")


class Sampling(layers.Layer):
    """Sample a code; add the divergence from a standard normal distribution to the loss."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(7)

    def call(self, inputs):
        """Return a code (n, code) of (mean, logarithm of the variance), each (n, code)."""
        mean, log_variance = inputs
        divergence = ops.square(mean) + ops.exp(log_variance) - log_variance - 1.0
        self.add_loss(1e-2 * ops.mean(ops.sum(0.5 * divergence, axis=-1)))
        noise = keras.random.normal(ops.shape(mean), dtype=mean.dtype, seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_variance) * noise


def variational():
    """A variational autoencoder with its divergence as a loss of a layer."""
    pixels = keras.Input((36,))
    x = layers.Dense(24, activation="relu")(pixels)
    code = Sampling()([layers.Dense(4)(x), layers.Dense(4)(x)])
    x = layers.Dense(36, activation="sigmoid")(layers.Dense(24, activation="relu")(code))
    model = keras.Model(pixels, x)
    model.compile(optimizers.Adam(1e-3), "binary_crossentropy")
    return model


class Subclassed(keras.Model):
    """A subclassed model that calls one of its layers twice."""

    def __init__(self):
        super().__init__()
        self.inner = keras.Sequential([layers.Dense(20, activation="tanh"), layers.Dropout(0.1)])
        self.outer = layers.Dense(20)

    def call(self, x, training=False):
        """Map ``x`` (n, 20) to (n, 20)."""
        x = self.inner(x, training=training)
        return self.outer(self.inner(x, training=training) + x)


def subclassed():
    """A subclassed model that is never called before it is returned."""
    model = Subclassed()
    model.compile(optimizers.Adam(1e-3, amsgrad=True), "log_cosh")
    return model


def shared():
    """One layer used twice in the graph; SGD with momentum."""
    pixels = keras.Input((32,))
    down = layers.Dense(8, activation="relu", name="down")
    x = layers.Dense(32, activation="relu")(layers.Dense(8)(down(pixels)))
    code = down(x)
    model = keras.Model(pixels, layers.Dense(32)(code))
    model.compile(optimizers.SGD(0.2, momentum=0.9), "mse")
    return model


def _dense(pixels, code):
    """Return the layers of a dense encoder and decoder."""
    return [
        keras.Input((pixels,)),
        layers.Dense(2 * code, activation="relu"),
        layers.Dense(code),
        layers.Dense(2 * code, activation="relu"),
        layers.Dense(pixels, activation="sigmoid"),
    ]


def _compiled(stack, optimizer, loss):
    model = keras.Sequential(stack)
    model.compile(optimizer, loss)
    return model
