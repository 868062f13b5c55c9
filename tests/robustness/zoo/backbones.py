"""Backbones of language, vision and audio models in Keras layers, at small size."""

import keras
from keras import layers, ops

WORDS, LENGTH, WIDTH, HEADS = 50, 12, 32, 4


def _compiled(model, loss="mse", optimizer="sgd"):
    """Compile, by default with SGD: Adam differs for embeddings, see docs/differences.md."""
    optimizers = {"sgd": keras.optimizers.SGD(0.05, momentum=0.9)}
    model.compile(optimizers.get(optimizer) or keras.optimizers.get(optimizer), loss)
    return model


def _next_words():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class Positions(layers.Layer):
    """Add a trained vector for each position."""

    def build(self, shape):
        """Create the vectors."""
        self.table = self.add_weight(
            shape=(1, *shape[1:]), initializer="random_normal", name="table"
        )

    def call(self, x):
        """Return ``x`` plus the vectors."""
        return x + self.table


class RMSNorm(layers.Layer):
    """Root-mean-square normalisation (Zhang & Sennrich, 2019)."""

    def build(self, shape):
        """Create the scale."""
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")

    def call(self, x):
        """Return ``x`` normalised and scaled."""
        return x * ops.rsqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + 1e-6) * self.scale


class Rotary(layers.Layer):
    """Causal attention with rotary positions (Su et al., 2021) and grouped keys."""

    def __init__(self, heads, groups, **kwargs):
        super().__init__(**kwargs)
        self.heads, self.groups = heads, groups

    def get_config(self):
        """Return the constructor arguments."""
        return {**super().get_config(), "heads": self.heads, "groups": self.groups}

    def build(self, shape):
        """Create the projections."""
        size = shape[-1] // self.heads
        self.query = layers.EinsumDense("btd,dhk->bthk", (None, self.heads, size))
        self.key = layers.EinsumDense("btd,dhk->bthk", (None, self.groups, size))
        self.value = layers.EinsumDense("btd,dhk->bthk", (None, self.groups, size))
        self.out = layers.EinsumDense("bthk,hkd->btd", (None, shape[-1]))
        for layer in (self.query, self.key, self.value):
            layer.build(shape)
        self.out.build((*shape[:2], self.heads, size))

    def call(self, x):
        """Return attention over earlier positions."""
        query, key = self._rotate(self.query(x)), self._rotate(self.key(x))
        key = ops.repeat(key, self.heads // self.groups, axis=2)
        value = ops.repeat(self.value(x), self.heads // self.groups, axis=2)
        scores = ops.einsum("bthk,bshk->bhts", query, key) / query.shape[-1] ** 0.5
        length = x.shape[1]
        scores = ops.where(ops.tril(ops.ones((length, length))) > 0, scores, -1e9)
        return self.out(ops.einsum("bhts,bshk->bthk", ops.softmax(scores), value))

    def _rotate(self, x):
        half = x.shape[-1] // 2
        rates = 10000.0 ** (-ops.arange(half, dtype="float32") / half)
        angles = ops.arange(x.shape[1], dtype="float32")[:, None] * rates
        sine, cosine = ops.sin(angles)[None, :, None], ops.cos(angles)[None, :, None]
        first, second = x[..., :half], x[..., half:]
        return ops.concatenate(
            [first * cosine - second * sine, first * sine + second * cosine], axis=-1
        )


def _encoder_block(x, activation="gelu", causal=False, before=False, dropout=0.0):
    """Return ``x`` after a Transformer block that normalises before or after each half."""
    y = layers.LayerNormalization(epsilon=1e-6)(x) if before else x
    y = layers.MultiHeadAttention(HEADS, WIDTH // HEADS, dropout=dropout)(
        y, y, use_causal_mask=causal
    )
    x = layers.Add()([x, y])
    x = x if before else layers.LayerNormalization(epsilon=1e-6)(x)
    y = layers.LayerNormalization(epsilon=1e-6)(x) if before else x
    y = layers.Dense(2 * WIDTH, activation=activation)(y)
    y = layers.Dropout(dropout)(layers.Dense(WIDTH)(y))
    x = layers.Add()([x, y])
    return x if before else layers.LayerNormalization(epsilon=1e-6)(x)


def bert():
    """BERT (Devlin et al., 2018): two blocks on words and segments, and a class."""
    words = keras.Input((LENGTH,), dtype="int32")
    segments = keras.Input((LENGTH,), dtype="int32")
    x = layers.Add()([layers.Embedding(WORDS, WIDTH)(words), layers.Embedding(2, WIDTH)(segments)])
    x = layers.LayerNormalization(epsilon=1e-12)(Positions()(x))
    for _ in range(2):
        x = _encoder_block(x, dropout=0.1)
    pooled = layers.Dense(WIDTH, activation="tanh")(x[:, 0])
    return _compiled(keras.Model([words, segments], layers.Dense(2)(pooled)), _next_words())


def gpt2():
    """GPT-2 (Radford et al., 2019): two causal blocks that predict words."""
    words = keras.Input((LENGTH,), dtype="int32")
    embedding = layers.Embedding(WORDS, WIDTH)
    x = Positions()(embedding(words))
    for _ in range(2):
        x = _encoder_block(x, causal=True, before=True)
    x = layers.LayerNormalization(epsilon=1e-5)(x)
    return _compiled(keras.Model(words, layers.Dense(WORDS)(x[:, -1])), _next_words())


def llama():
    """Llama (Touvron et al., 2023): RMS normalisation, rotary grouped attention, SwiGLU."""
    words = keras.Input((LENGTH,), dtype="int32")
    x = layers.Embedding(WORDS, WIDTH)(words)
    for _ in range(2):
        x = layers.Add()([x, Rotary(HEADS, 2)(RMSNorm()(x))])
        y = RMSNorm()(x)
        gate = layers.Dense(2 * WIDTH, activation="silu", use_bias=False)(y)
        y = layers.Multiply()([gate, layers.Dense(2 * WIDTH, use_bias=False)(y)])
        x = layers.Add()([x, layers.Dense(WIDTH, use_bias=False)(y)])
    x = layers.Dense(WORDS, use_bias=False)(RMSNorm()(x)[:, -1])
    return _compiled(keras.Model(words, x), _next_words())


def t5():
    """Encoder and decoder with cross-attention (Raffel et al., 2019)."""
    source, target = (keras.Input((LENGTH,), dtype="int32") for _ in range(2))
    embedding = layers.Embedding(WORDS, WIDTH)
    x = _encoder_block(Positions()(embedding(source)), "relu", before=True)
    y = Positions()(embedding(target))
    y = layers.Add()([y, layers.MultiHeadAttention(HEADS, 8)(y, y, use_causal_mask=True)])
    y = layers.Add()([y, layers.MultiHeadAttention(HEADS, 8)(RMSNorm()(y), x)])
    return _compiled(
        keras.Model([source, target], layers.Dense(WORDS)(RMSNorm()(y)[:, -1])), _next_words()
    )


def transformer():
    """A Transformer encoder of four blocks for sequences of vectors."""
    inputs = keras.Input((16, WIDTH))
    x = Positions()(inputs)
    for _ in range(4):
        x = _encoder_block(x, before=True)
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return _compiled(keras.Model(inputs, layers.Dense(10)(x)), _next_words(), "adam")


def vit():
    """Vision Transformer (Dosovitskiy et al., 2020) of two blocks on patches of 8×8."""
    image = keras.Input((32, 32, 3))
    x = layers.Conv2D(WIDTH, 8, strides=8)(image)
    x = Positions()(layers.Reshape((16, WIDTH))(x))
    for _ in range(2):
        x = _encoder_block(x, before=True, dropout=0.1)
    x = layers.GlobalAveragePooling1D()(layers.LayerNormalization(epsilon=1e-6)(x))
    return _compiled(keras.Model(image, layers.Dense(10)(x)), _next_words(), "adamw")


def mlp_mixer():
    """MLP-Mixer (Tolstikhin et al., 2021) of two blocks."""
    image = keras.Input((32, 32, 3))
    x = layers.Reshape((16, WIDTH))(layers.Conv2D(WIDTH, 8, strides=8)(image))
    for _ in range(2):
        y = layers.Permute((2, 1))(layers.LayerNormalization()(x))
        y = layers.Dense(16)(layers.Dense(32, activation="gelu")(y))
        x = layers.Add()([x, layers.Permute((2, 1))(y)])
        y = layers.Dense(2 * WIDTH, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(WIDTH)(y)])
    return _compiled(
        keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling1D()(x))),
        _next_words(),
        "adam",
    )


def segment_anything():
    """Segment Anything (Kirillov et al., 2023): image tokens, a prompt, a mask decoder."""
    image, prompt = keras.Input((32, 32, 3)), keras.Input((2, 2))
    x = layers.Conv2D(WIDTH, 4, strides=4)(image)
    x = Positions()(layers.Reshape((64, WIDTH))(x))
    x = _encoder_block(x, before=True)
    points = layers.Dense(WIDTH, activation="tanh")(prompt)
    points = layers.Add()([points, layers.MultiHeadAttention(HEADS, 8)(points, x)])
    x = layers.Add()([x, layers.MultiHeadAttention(HEADS, 8)(x, points)])
    x = layers.LayerNormalization()(x)
    x = layers.Reshape((8, 8, WIDTH))(x)
    x = layers.Conv2DTranspose(16, 2, strides=2, activation="gelu")(x)
    x = layers.Conv2DTranspose(8, 2, strides=2, activation="gelu")(x)
    return _compiled(keras.Model([image, prompt], layers.Conv2D(1, 1)(x)), "mse", "adam")


def whisper():
    """Whisper (Radford et al., 2022): convolutions over a spectrogram, encoder and decoder."""
    sound, words = keras.Input((24, 20)), keras.Input((LENGTH,), dtype="int32")
    x = layers.Conv1D(WIDTH, 3, padding="same", activation="gelu")(sound)
    x = layers.Conv1D(WIDTH, 3, strides=2, padding="same", activation="gelu")(x)
    x = layers.LayerNormalization()(_encoder_block(Positions()(x), before=True))
    y = Positions()(layers.Embedding(WORDS, WIDTH)(words))
    y = _encoder_block(y, causal=True, before=True)
    y = layers.Add()([y, layers.MultiHeadAttention(HEADS, 8)(layers.LayerNormalization()(y), x)])
    y = layers.LayerNormalization()(y)
    return _compiled(keras.Model([sound, words], layers.Dense(WORDS)(y[:, -1])), _next_words())


class TimeEmbedding(layers.Layer):
    """Sines and cosines of a time in [0, 1]."""

    def call(self, time):
        """Return features (n, 16) of times (n, 1)."""
        angles = time * ops.exp(ops.linspace(0.0, 6.0, 8))
        return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)


def diffusion_unet():
    """A diffusion U-Net (Ho et al., 2020): residual blocks with the time as input, group norms."""
    image, time = keras.Input((16, 16, 3)), keras.Input((1,))
    moment = layers.Dense(WIDTH, activation="swish")(TimeEmbedding()(time))

    def residual(x, filters):
        y = layers.Conv2D(filters, 3, padding="same")(
            layers.Activation("swish")(layers.GroupNormalization(4)(x))
        )
        y = layers.Add()([y, layers.Reshape((1, 1, filters))(layers.Dense(filters)(moment))])
        y = layers.Activation("swish")(layers.GroupNormalization(4)(y))
        y = layers.Conv2D(filters, 3, padding="same")(y)
        x = x if x.shape[-1] == filters else layers.Conv2D(filters, 1)(x)
        return layers.Add()([x, y])

    first = residual(layers.Conv2D(16, 3, padding="same")(image), 16)
    second = residual(layers.AveragePooling2D(2)(first), 32)
    x = layers.UpSampling2D(interpolation="bilinear")(residual(second, 32))
    x = residual(layers.Concatenate()([x, first]), 16)
    return _compiled(
        keras.Model([image, time], layers.Conv2D(3, 3, padding="same")(x)), "mse", "adamw"
    )
