"""Networks after Keras's example gallery, at small size."""

import keras
from keras import layers, ops


def _compiled(model, loss="mse", optimizer="adam"):
    model.compile(keras.optimizers.get(optimizer), loss)
    return model


def _classifier(inputs, x, classes=10, optimizer="adam"):
    outputs = layers.Dense(classes, activation="softmax")(x)
    return _compiled(keras.Model(inputs, outputs), "sparse_categorical_crossentropy", optimizer)


def _sgd():
    """Return an optimizer for embeddings, on which Adam differs; see docs/differences.md."""
    return keras.optimizers.SGD(0.05, momentum=0.9)


def dense_autoencoder():
    """A dense autoencoder with dropout."""
    inputs = keras.Input((64,))
    x = layers.Dropout(0.2)(layers.Dense(32, activation="relu")(inputs))
    x = layers.Dense(8, activation="relu")(x)
    return _compiled(keras.Model(inputs, layers.Dense(64)(layers.Dense(32, "relu")(x))))


def convolutional_autoencoder():
    """A convolutional autoencoder that removes noise."""
    inputs = keras.Input((16, 16, 1))
    x = layers.Conv2D(16, 3, activation="relu", padding="same")(inputs)
    x = layers.MaxPooling2D()(x)
    x = layers.MaxPooling2D()(layers.Conv2D(16, 3, activation="relu", padding="same")(x))
    x = layers.Conv2DTranspose(16, 3, strides=2, activation="relu", padding="same")(x)
    x = layers.Conv2DTranspose(16, 3, strides=2, activation="relu", padding="same")(x)
    x = layers.Conv2D(1, 3, activation="sigmoid", padding="same")(x)
    return _compiled(keras.Model(inputs, x), "binary_crossentropy")


def digit_classifier():
    """A convolutional classifier of digits, with max pooling and dropout."""
    inputs = keras.Input((28, 28, 1))
    x = layers.MaxPooling2D()(layers.Conv2D(16, 3, activation="relu")(inputs))
    x = layers.MaxPooling2D()(layers.Conv2D(32, 3, activation="relu")(x))
    return _classifier(inputs, layers.Dropout(0.5)(layers.Flatten()(x)))


def unet():
    """A U-Net for segmentation, with transposed convolutions and batch normalisation."""
    inputs = keras.Input((16, 16, 3))

    def double(x, filters):
        for _ in range(2):
            x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization()(x))
        return x

    first = double(inputs, 8)
    second = double(layers.MaxPooling2D()(first), 16)
    x = double(layers.MaxPooling2D()(second), 32)
    for filters, skipped in ((16, second), (8, first)):
        x = layers.Conv2DTranspose(filters, 2, strides=2)(x)
        x = double(layers.Concatenate()([x, skipped]), filters)
    return _compiled(keras.Model(inputs, layers.Conv2D(3, 1)(x)))


def lstm_forecaster():
    """Two LSTM layers that forecast a series."""
    inputs = keras.Input((24, 4))
    x = layers.LSTM(16, return_sequences=True)(inputs)
    return _compiled(keras.Model(inputs, layers.Dense(4)(layers.LSTM(16)(x))))


def gru_forecaster():
    """A GRU in both directions, with dropout."""
    inputs = keras.Input((24, 4))
    x = layers.Bidirectional(layers.GRU(12, return_sequences=True))(inputs)
    x = layers.Dropout(0.2)(layers.GRU(12)(x))
    return _compiled(keras.Model(inputs, layers.Dense(1)(x)), optimizer="rmsprop")


def convlstm():
    """A ConvLSTM that predicts the next picture."""
    inputs = keras.Input((5, 8, 8, 1))
    x = layers.ConvLSTM2D(6, 3, padding="same", return_sequences=True)(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.Conv3D(1, 3, padding="same", activation="sigmoid")(x)
    return _compiled(keras.Model(inputs, x), "binary_crossentropy")


def sequence_autoencoder():
    """An LSTM autoencoder of sequences."""
    inputs = keras.Input((12, 3))
    x = layers.RepeatVector(12)(layers.LSTM(8)(inputs))
    x = layers.LSTM(8, return_sequences=True)(x)
    return _compiled(keras.Model(inputs, layers.TimeDistributed(layers.Dense(3))(x)), "mae")


def text_classifier():
    """Embedded words, convolutions and a maximum over time."""
    words = keras.Input((20,), dtype="int32")
    x = layers.Embedding(80, 16)(words)
    x = layers.Conv1D(24, 5, activation="relu")(x)
    return _classifier(words, layers.GlobalMaxPooling1D()(x), 5, _sgd())


def character_rnn():
    """An LSTM that predicts the next character."""
    words = keras.Input((16,), dtype="int32")
    x = layers.LSTM(32)(layers.Embedding(30, 16)(words))
    return _classifier(words, x, 30, _sgd())


def siamese():
    """The squared distance between the codes of two images from one network."""
    first, second = keras.Input((16, 16, 1)), keras.Input((16, 16, 1))
    inputs = keras.Input((16, 16, 1))
    x = layers.BatchNormalization()(inputs)
    x = layers.AveragePooling2D(2)(layers.Conv2D(8, 5, activation="tanh")(x))
    x = layers.Dense(10, activation="tanh")(layers.Flatten()(x))
    tower = keras.Model(inputs, x)
    gap = layers.Subtract()([tower(first), tower(second)])
    outputs = layers.Dense(1, activation="sigmoid")(layers.Multiply()([gap, gap]))
    return _compiled(keras.Model([first, second], outputs), "binary_crossentropy")


class GraphAttention(layers.Layer):
    """Attention over the edges of a graph (Velickovic et al., 2018)."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def get_config(self):
        """Return the constructor arguments."""
        return {**super().get_config(), "units": self.units}

    def build(self, shapes):
        """Create the weights from the shapes of nodes and adjacency."""
        width = shapes[0][-1]
        self.kernel = self.add_weight(shape=(width, self.units), name="kernel")
        self.sender = self.add_weight(shape=(self.units, 1), name="sender")
        self.receiver = self.add_weight(shape=(self.units, 1), name="receiver")

    def call(self, pair):
        """Return attention (n, v, units) of nodes (n, v, d) with adjacency (n, v, v)."""
        nodes, adjacency = pair
        hidden = ops.matmul(nodes, self.kernel)
        scores = ops.matmul(hidden, self.sender) + ops.transpose(
            ops.matmul(hidden, self.receiver), (0, 2, 1)
        )
        scores = ops.where(adjacency > 0.5, ops.leaky_relu(scores, 0.2), -1e9)
        return ops.elu(ops.matmul(ops.softmax(scores), hidden))


def graph_attention():
    """Two layers of graph attention over nine nodes."""
    nodes, adjacency = keras.Input((9, 6)), keras.Input((9, 9))
    x = GraphAttention(8)([nodes, adjacency])
    x = layers.GlobalAveragePooling1D()(GraphAttention(8)([x, adjacency]))
    return _compiled(keras.Model([nodes, adjacency], layers.Dense(2)(x)))


def wavenet():
    """Dilated causal convolutions with gates (van den Oord et al., 2016)."""
    inputs = keras.Input((64, 1))
    x, skipped = layers.Conv1D(8, 2, padding="causal")(inputs), []
    for rate in (1, 2, 4, 8):
        gate = layers.Conv1D(8, 2, padding="causal", dilation_rate=rate, activation="sigmoid")(x)
        value = layers.Conv1D(8, 2, padding="causal", dilation_rate=rate, activation="tanh")(x)
        y = layers.Conv1D(8, 1)(layers.Multiply()([value, gate]))
        skipped.append(y)
        x = layers.Add()([x, y])
    x = layers.Conv1D(8, 1, activation="relu")(layers.ReLU()(layers.Add()(skipped)))
    return _compiled(keras.Model(inputs, layers.Conv1D(1, 1)(x)))


def pointnet():
    """PointNet (Qi et al., 2017): a transform of points, a network for each, their maximum."""
    points = keras.Input((32, 3))

    def each(x, filters):
        return layers.ReLU()(layers.BatchNormalization()(layers.Conv1D(filters, 1)(x)))

    x = layers.GlobalMaxPooling1D()(each(each(points, 8), 16))
    matrix = layers.Reshape((3, 3))(layers.Dense(9, bias_initializer="zeros")(x))
    x = layers.Dot(axes=(2, 1))([points, matrix])
    x = layers.GlobalMaxPooling1D()(each(each(x, 16), 32))
    return _classifier(points, layers.Dropout(0.3)(layers.Dense(16, "relu")(x)))


def retinanet_heads():
    """A pyramid of features with heads for classes and boxes (Lin et al., 2017)."""
    image = keras.Input((32, 32, 3))
    third = layers.Conv2D(8, 3, strides=4, padding="same", activation="relu")(image)
    fourth = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(third)
    top = layers.Conv2D(8, 1)(fourth)
    low = layers.Add()([layers.Conv2D(8, 1)(third), layers.UpSampling2D(2)(top)])
    rare = keras.initializers.Constant(-4.6)
    classes = [
        layers.Conv2D(8, 3, padding="same", activation="relu"),
        layers.Conv2D(6, 3, padding="same", bias_initializer=rare),
    ]
    boxes = layers.Conv2D(4, 3, padding="same")
    found = []
    for level in (low, top):
        scores = layers.Reshape((-1, 6))(classes[1](classes[0](level)))
        found.append(layers.Concatenate()([scores, layers.Reshape((-1, 4))(boxes(level))]))
    outputs = layers.Concatenate(axis=1)(found)
    return _compiled(keras.Model(image, outputs), keras.losses.Huber())


class Sampled(layers.Layer):
    """Draw a code, and add the Kullback-Leibler divergence to the loss."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(3)

    def call(self, pair):
        """Return a code of (mean, log variance)."""
        mean, log_variance = pair
        self.add_loss(-0.5 * ops.mean(1 + log_variance - ops.square(mean) - ops.exp(log_variance)))
        noise = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_variance) * noise


def variational():
    """A variational autoencoder with convolutions."""
    inputs = keras.Input((16, 16, 1))
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(inputs)
    x = layers.Dense(16, activation="relu")(layers.Flatten()(x))
    x = Sampled()([layers.Dense(2)(x), layers.Dense(2)(x)])
    x = layers.Reshape((8, 8, 4))(layers.Dense(256, activation="relu")(x))
    x = layers.Conv2DTranspose(1, 3, strides=2, padding="same", activation="sigmoid")(x)
    return _compiled(keras.Model(inputs, x), "binary_crossentropy")


def discriminator():
    """The discriminator of a GAN: leaky ReLU, one logit, no label noise."""
    inputs = keras.Input((16, 16, 1))
    x = layers.LeakyReLU(0.2)(layers.Conv2D(16, 3, strides=2, padding="same")(inputs))
    x = layers.LeakyReLU(0.2)(layers.Conv2D(32, 3, strides=2, padding="same")(x))
    x = layers.Dense(1)(layers.GlobalMaxPooling2D()(x))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    return _compiled(keras.Model(inputs, x), loss, keras.optimizers.Adam(3e-4, beta_1=0.5))


def generator():
    """The generator of a GAN: transposed convolutions, batch norms, tanh."""
    inputs = keras.Input((8,))
    x = layers.Reshape((4, 4, 16))(layers.Dense(256)(inputs))
    for filters in (16, 8):
        x = layers.Conv2DTranspose(filters, 4, strides=2, padding="same", use_bias=False)(x)
        x = layers.LeakyReLU(0.2)(layers.BatchNormalization()(x))
    x = layers.Conv2D(1, 5, padding="same", activation="tanh")(x)
    return _compiled(keras.Model(inputs, x), "mae", keras.optimizers.Adam(3e-4, beta_1=0.5))


class ConditionalRandomField(layers.Layer):
    """The forward algorithm of a linear chain: log of the sum over all tag sequences."""

    def build(self, shape):
        """Create the transitions."""
        self.moves = self.add_weight(shape=(shape[-1], shape[-1]), name="moves")

    def call(self, scores):
        """Return the log partition functions (n, 1) of scores (n, t, k)."""
        total = scores[:, 0]
        for step in range(1, scores.shape[1]):
            total = scores[:, step] + ops.logsumexp(total[:, :, None] + self.moves, axis=1)
        return ops.logsumexp(total, axis=1, keepdims=True)


def tagger():
    """A tagger of words with the log partition function of a conditional random field."""
    words = keras.Input((10,), dtype="int32")
    x = layers.Bidirectional(layers.LSTM(8, return_sequences=True))(layers.Embedding(40, 8)(words))
    scores = layers.Dense(5)(x)
    partition = ConditionalRandomField()(scores)
    best = layers.Lambda(lambda each: ops.sum(ops.max(each, axis=-1), axis=1, keepdims=True))
    return _compiled(
        keras.Model(words, layers.Subtract()([partition, best(scores)])), optimizer=_sgd()
    )


def super_resolution():
    """Sub-pixel convolution (Shi et al., 2016)."""
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(16, 5, padding="same", activation="tanh")(inputs)
    x = layers.Conv2D(4, 3, padding="same")(x)
    x = layers.Reshape((8, 8, 2, 2))(x)
    x = layers.Reshape((16, 16, 1))(layers.Permute((1, 3, 2, 4))(x))
    return _compiled(keras.Model(inputs, x))


def wide_and_deep():
    """A network for tables: embeddings, batch normalisation and a wide part."""
    numbers, kinds = keras.Input((12,)), keras.Input((3,), dtype="int32")
    x = layers.Flatten()(layers.Embedding(20, 4)(kinds))
    x = layers.Concatenate()([layers.BatchNormalization()(numbers), x])
    for units in (32, 16):
        x = layers.Dropout(0.2)(layers.ReLU()(layers.BatchNormalization()(layers.Dense(units)(x))))
    x = layers.Concatenate()([x, layers.Dense(8, activation="relu")(numbers)])
    outputs = layers.Dense(1, activation="sigmoid")(x)
    return _compiled(keras.Model([numbers, kinds], outputs), "binary_crossentropy", _sgd())


def recommender():
    """Matrix factorisation with biases."""
    users, items = keras.Input((1,), dtype="int32"), keras.Input((1,), dtype="int32")
    user, item = layers.Embedding(30, 8)(users), layers.Embedding(40, 8)(items)
    score = layers.Dot(axes=2)([user, item])
    bias = layers.Add()([layers.Embedding(30, 1)(users), layers.Embedding(40, 1)(items)])
    outputs = layers.Activation("sigmoid")(layers.Flatten()(layers.Add()([score, bias])))
    return _compiled(keras.Model([users, items], outputs), "binary_crossentropy", _sgd())


def video_classifier():
    """Factorised three-dimensional convolutions."""
    inputs = keras.Input((6, 12, 12, 1))
    x = layers.Conv3D(6, (1, 5, 5), padding="same", activation="relu")(inputs)
    x = layers.Conv3D(6, (3, 1, 1), padding="same")(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    return _classifier(inputs, layers.GlobalAveragePooling3D()(layers.MaxPooling3D()(x)))


def convmixer():
    """Depthwise and pointwise convolutions of patches (Trockman & Kolter, 2022)."""
    inputs = keras.Input((16, 16, 3))
    x = layers.BatchNormalization()(layers.Conv2D(16, 2, strides=2, activation="gelu")(inputs))
    for _ in range(3):
        y = layers.DepthwiseConv2D(5, padding="same", activation="gelu")(x)
        x = layers.Add()([x, layers.BatchNormalization()(y)])
        x = layers.BatchNormalization()(layers.Conv2D(16, 1, activation="gelu")(x))
    return _classifier(inputs, layers.GlobalAveragePooling2D()(x))


def residual_dense():
    """A deep residual network of dense layers, selu and layer norms."""
    inputs = keras.Input((24,))
    x = layers.Dense(32, activation="selu", kernel_initializer="lecun_normal")(inputs)
    for _ in range(6):
        y = layers.Dense(32, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(32)(y)])
    return _compiled(keras.Model(inputs, layers.Dense(3)(x)), "log_cosh", "nadam")
