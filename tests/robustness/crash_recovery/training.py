"""Small training with all callbacks of state, to be killed."""

import hashlib

import numpy as np

EPOCHS, SAMPLES, BATCH = 8, 200, 8
# Intervals of checkpoints, at the end of an epoch and within one; an epoch has 25 steps.
EVERY = ("1 epoch", "7 steps")


def train(folder=None, every=None, resume=False, on_start=None):
    """Train from the beginning or from a checkpoint.

    Args:
        folder: folder of checkpoints, or None for no checkpoints.
        every: interval of checkpoints.
        resume: whether to resume from the newest checkpoint.
        on_start: function that is called once, after the first epoch, most of which is compiling.

    Returns:
        Dict of ``digest``, of history and variables at the end, and ``resumed``, the position that
        the training resumed from, or None.
    """
    import ae_multi
    from ae_multi._keras import keras

    class Start(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if on_start is not None and epoch == 0:
                on_start()

    x = np.random.default_rng(0).random((SAMPLES, 12), np.float32)
    model = _model(keras, ae_multi)
    callbacks = keras.callbacks
    history = ae_multi.fit(
        model,
        x,
        x,
        batch_size=BATCH,
        epochs=EPOCHS,
        verbose=0,
        validation_data=(x[:20],) * 2,
        callbacks=[
            Start(),
            callbacks.EarlyStopping(patience=EPOCHS, min_delta=10.0, restore_best_weights=True),
            callbacks.ReduceLROnPlateau(factor=0.5, patience=3, min_delta=10.0),
        ],
        checkpoint=folder,
        checkpoint_every=every or "1 epoch",
        keep=2,
        resume=resume,
    )
    digest = hashlib.sha256(repr((history.history, history.epoch)).encode())
    for variable in model.variables + model.optimizer.variables + model.metrics_variables:
        digest.update(np.asarray(keras.ops.convert_to_numpy(variable.value)).tobytes())
    return {"digest": digest.hexdigest(), "resumed": history.resumed_from}


def _model(keras, ae_multi):
    from ae_multi.randomness.layers import GaussianNoise

    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12,)),
            GaussianNoise(0.1, seed=5),
            layers.Dense(8, activation="relu", kernel_initializer="ones"),
            layers.BatchNormalization(),
            layers.Dense(12, kernel_initializer="zeros"),
        ]
    )
    for weight in model.trainable_variables:
        weight.assign(np.random.default_rng(len(weight.shape)).normal(0, 0.3, weight.shape))
    model.compile(keras.optimizers.Adam(1e-2), "mse", metrics=["mae"])
    return model
