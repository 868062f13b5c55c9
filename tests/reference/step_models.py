"""Models, optimizers and data for comparisons of plans with Keras."""

import numpy as np


def dense(keras):
    """A dense autoencoder with a regularizer and a loss added by a layer."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(8, "relu", kernel_regularizer="l2"),
            layers.Dense(3, activity_regularizer="l1"),
            layers.Dense(12, "sigmoid"),
        ]
    )


def autoencoder(keras, learning_rate=1e-2, **kwargs):
    """The dense model, compiled with Adam, with the same weights on every backend."""
    model = dense(keras)
    for weight in model.trainable_variables:
        weight.assign(np.random.default_rng(weight.shape[0]).normal(0, 0.3, weight.shape))
    model.compile(keras.optimizers.Adam(learning_rate), "mse", metrics=["mae"], **kwargs)
    return model


def convolutional(keras):
    """Convolutions, batch statistics, and random layers of Keras and this package."""
    from ae_multi.randomness.layers import Dropout, GaussianNoise

    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((4, 3, 1)),
            GaussianNoise(0.1, seed=1),
            layers.Conv2D(4, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            Dropout(0.2, seed=2),
            layers.Flatten(),
            layers.Dense(12, "sigmoid"),
            layers.Reshape((4, 3, 1)),
        ]
    )


def branched(keras):
    """Two inputs, two outputs, and a dropout of Keras."""
    layers = keras.layers
    left, right = keras.Input((12,), name="left"), keras.Input((5,), name="right")
    both = layers.Concatenate()([layers.Dense(6, "tanh")(left), right])
    both = layers.Dropout(0.3, seed=3)(both)
    first, second = layers.Dense(12, name="first")(both), layers.Dense(5, name="second")(both)
    return keras.Model({"left": left, "right": right}, {"first": first, "second": second})


def optimizers(keras):
    """Functions that create optimizers with each kind of state and of gradient clipping."""
    schedule = keras.optimizers.schedules.CosineDecay(1e-2, 30)
    kinds = keras.optimizers
    return {
        "sgd": lambda: kinds.SGD(0.1, momentum=0.9),
        "adam": lambda: kinds.Adam(1e-3),
        "rmsprop": lambda: kinds.RMSprop(1e-3, clipvalue=0.01),
        "adamw": lambda: kinds.AdamW(schedule, weight_decay=0.01, clipnorm=0.1),
        "ema": lambda: kinds.Adam(1e-3, use_ema=True, ema_momentum=0.9),
    }


def task(keras, kind, optimizer):
    """Return (compiled model, (x, y, sample_weight)) of one kind, with 70 samples."""
    rng = np.random.default_rng(0)
    keras.utils.clear_session()
    model = {"dense": dense, "conv": convolutional, "branched": branched}[kind](keras)
    for weight in model.trainable_variables:
        weight.assign(rng.normal(0, 0.3, weight.shape))
    x = rng.random((70, 12), np.float32)
    if kind == "branched":
        model.compile(
            optimizer,
            loss={"first": "mse", "second": "mae"},
            loss_weights={"first": 1.0, "second": 0.5},
            metrics={"first": ["mae"]},
            weighted_metrics={"second": ["mse"]},
        )
        other = rng.random((70, 5), np.float32)
        weights = {name: rng.random(70, np.float32) for name in ("first", "second")}
        targets = {"first": x[::-1].copy(), "second": other}
        return model, ({"left": x, "right": other}, targets, weights)
    model.compile(optimizer, loss="mse", metrics=["mae"])
    x = x.reshape(-1, 4, 3, 1) if kind == "conv" else x
    return model, (x, x, None)
