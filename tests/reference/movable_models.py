"""Models that can be converted to other frameworks, with asymmetric weights."""

import numpy as np

import ae_multi

# name: (class, arguments)
OURS = {
    "simple": ("SimpleAutoencoder", {}),
    "deep": ("DeepAutoencoder", {}),
    "conv": ("ConvAutoencoder", {}),
    "conv of odd images": ("ConvAutoencoder", {"filters": (3, 5, 4), "input_shape": (13, 9)}),
    "conv in color": ("ConvAutoencoder", {"filters": (3,), "input_shape": (8, 6, 3)}),
    "denoising": ("DenoisingAutoencoder", {"hidden": (20,), "input_shape": (7, 5)}),
    "top-k": ("SparseAutoencoder", {"sparsity": "top_k", "k": 4, "latent_dim": 30}),
    "l1": ("SparseAutoencoder", {"latent_dim": 30, "input_shape": (12,)}),
    "contractive": ("ContractiveAutoencoder", {"latent_dim": 8, "input_shape": (6, 6, 1)}),
    "variational": ("VariationalAutoencoder", {"hidden": (20,), "latent_dim": 5}),
    "words": ("VectorQuantizedAutoencoder", {"hidden": (20,), "codes": 3}),
    "restoration": ("RestorationNetwork", {"filters": (3, 4, 5), "input_shape": (15, 13)}),
    "segmentation": (
        "SegmentationNetwork", {"filters": (3, 4), "classes": 3, "input_shape": (9, 7, 2)}
    ),
}  # fmt: skip


def package_model(name):
    """Return one of this package's models."""
    cls, arguments = OURS[name]
    return randomized(getattr(ae_multi, cls)(**arguments))


def square_dense():
    """Square dense layers, whose shape does not determine the axes."""
    from ae_multi._keras import keras

    kl = keras.layers
    layers = [kl.Dense(6, "tanh"), kl.LayerNormalization(), kl.Dense(6, kl.LeakyReLU(0.1))]
    ends = [kl.Dropout(0.2), kl.BatchNormalization(), kl.Dense(6, "softmax"), kl.ELU(0.7)]
    return randomized(keras.Sequential([keras.Input((6,)), *layers, *ends, kl.Dense(6, "silu")]))


def square_images():
    """Image layers with equal numbers of channels and kernel sizes."""
    from ae_multi._keras import keras

    kl, same = keras.layers, {"padding": "same"}
    layers = [
        kl.ZeroPadding2D(((1, 0), (2, 1))),
        kl.Conv2D(4, 4, strides=2, activation="relu", **same),
        kl.BatchNormalization(),
        kl.Conv2D(4, 4, activation="gelu", use_bias=False, dilation_rate=2, **same),
        kl.MaxPooling2D(3, strides=2, **same),
        kl.UpSampling2D((2, 3), interpolation="bilinear"),
        kl.Conv2D(4, 4, groups=2, activation="hard_sigmoid"),
        kl.AveragePooling2D(2, **same),
        kl.UpSampling2D(2),
        kl.Conv2DTranspose(4, 4, strides=3, activation="softplus", **same),
        kl.Activation("softmax"),
        kl.Dense(4, "relu6"),
        kl.Flatten(),
        kl.Dense(12),
        kl.Reshape((3, 4)),
        kl.ReLU(max_value=0.8),
    ]
    return randomized(keras.Sequential([keras.Input((11, 10, 4)), *layers]))


def branches():
    """A graph of nested branches, concatenated along each axis."""
    from ae_multi._keras import keras

    kl = keras.layers
    inputs = keras.Input((4, 4, 2))
    deep = keras.Sequential([keras.Input((4, 4, 2)), kl.Conv2D(2, 3, padding="same"), kl.ReLU()])
    one, other = deep(inputs), kl.Conv2D(2, 1, activation="tanh")(inputs)
    x = kl.Concatenate(axis=1)([other, one, inputs])  # (12, 4, 2)
    x = kl.Concatenate(axis=2)([x, kl.Dense(2)(x)])  # (12, 8, 2)
    x = kl.Concatenate()([kl.BatchNormalization()(x), x])  # (12, 8, 4)
    x = kl.Flatten()(kl.MaxPooling2D((3, 2))(x))
    x = kl.Concatenate()([kl.Dense(5, "relu")(x), x])
    return randomized(keras.Model(inputs, kl.Dense(3)(x)))


def randomized(model, seed=0):
    """Assign random weights, biases and statistics to ``model`` and return it."""
    from ae_multi._keras import keras

    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if not variable.dtype.startswith("float"):
            continue
        drawn = 0.1 * rng.random(variable.shape) - 0.05
        if "variance" in variable.path:  # variances are positive
            drawn = 10 * abs(drawn)
        variable.assign(keras.ops.convert_to_numpy(variable) + drawn)
    return model


def images_for(model, n=6):
    """Return ``n`` inputs of the model, uniform in [0, 1]."""
    part = getattr(model, "encoder", None) or getattr(model, "network", None) or model
    return np.random.default_rng(1).random((n, *part.input_shape[1:]), np.float32)


def outputs_of(model, x):
    """Return outputs of the model in inference, without compilation."""
    from ae_multi._keras import keras

    return keras.ops.convert_to_numpy(keras.ops.stop_gradient(model(x, training=False)))


MODELS = {
    **{name: lambda name=name: package_model(name) for name in OURS},
    "square dense": square_dense,
    "square images": square_images,
    "branches": branches,
}
