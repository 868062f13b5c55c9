"""Script of one worker: run the trainings of a job and write their results.

Usage: ``python train_worker.py JOB RESULT``, two paths of JSON files. A job is a dict of name to
the settings of one training:

    model           a key of `MODELS`
    samples         number of samples, 60 by default
    batch_size      samples of a full batch, 20 by default
    epochs          2 by default
    hooks           True to record the loss after each step, which runs steps one at a time; a
                    number to do so in the worker of this rank alone
    shorter         samples that the worker of rank 1 has less, 0 by default
    at              {action: [rank, step]}: what this worker does after so many steps, with hooks:
                    "kill" itself, "stop" the training, "interrupt" itself as by Ctrl-C, or "hang"
    fit             further arguments of `ae_multi.fit`

The result is a dict of the same names to a dict of "losses" (one a step with hooks, otherwise one
an epoch), "history", "weights" (nested lists), "sha256" (of all variables), "plan" and "resumed";
or "error" (class) and "message".
"""

import hashlib
import json
import os
import signal
import sys

import numpy as np

import ae_multi
from ae_multi._keras import keras
from ae_multi.backends.chunks import as_numpy
from ae_multi.errors import InputError, WorkerError

FEATURES = 12


def dense():
    """An autoencoder of dense layers."""
    return ae_multi.SimpleAutoencoder(latent_dim=5, input_shape=FEATURES, seed=0)


def layers(*inner):
    """An autoencoder of dense layers with ``inner`` layers between encoder and decoder."""
    encoder = keras.Sequential(
        [keras.Input((FEATURES,)), keras.layers.Dense(8, activation="relu"), *inner]
    )
    decoder = keras.Sequential([keras.Input((8,)), keras.layers.Dense(FEATURES)])
    model = ae_multi.Autoencoder(encoder, decoder, seed=0)
    ae_multi.randomness.redraw(model, 0)
    return model


def dense_parts():
    """The input and output of a functional model."""
    inputs = keras.Input((FEATURES,))
    return inputs, keras.layers.Dense(FEATURES)(inputs)


class CustomStep(keras.Model):
    """A model with a training step of its own."""

    def train_step(self, *args):
        """Run Keras's step."""
        return super().train_step(*args)


class MixesSamples(keras.layers.Layer):
    """Layer that subtracts the mean of the batch."""

    def call(self, inputs):
        """Return the centred ``inputs``."""
        return inputs - keras.ops.mean(inputs, axis=0, keepdims=True)


MODELS = {
    "dense": dense,
    "batch_norm": lambda: layers(keras.layers.BatchNormalization()),
    "mixing": lambda: layers(MixesSamples()),
    "dropout": lambda: layers(ae_multi.randomness.Dropout(0.3, seed=5)),
    "keras_dropout": lambda: layers(keras.layers.Dropout(0.3, seed=5)),
    "keras_noise": lambda: layers(keras.layers.GaussianNoise(0.1, seed=5)),
    "kl": lambda: ae_multi.SparseAutoencoder(
        sparsity="kl", latent_dim=6, input_shape=FEATURES, seed=0
    ),
    "denoising": lambda: ae_multi.DenoisingAutoencoder(
        latent_dim=5, hidden=(8,), input_shape=FEATURES, seed=0
    ),
    "sum": dense,
    "mean_with_sample_weight": dense,
    "unseeded": lambda: keras.Sequential(
        [keras.Input((FEATURES,)), keras.layers.Dense(FEATURES), keras.layers.Dropout(0.3)]
    ),
    "custom_step": lambda: CustomStep(*dense_parts()),
}


class Record(keras.callbacks.Callback):
    """Callback that records the loss after each step, and acts after some."""

    def __init__(self, at):
        super().__init__()
        self.losses, self.at = [], at

    def on_train_batch_end(self, batch, logs=None):
        """Record the loss, the mean over the epoch so far."""
        self.losses.append(float(logs["loss"]))
        now = [int(os.environ["RANK"]), len(self.losses)]
        if self.at.get("stop") == now:
            self.model.stop_training = True
        numbers = {"kill": signal.SIGKILL, "interrupt": signal.SIGINT, "hang": signal.SIGSTOP}
        for action, number in numbers.items():
            if self.at.get(action) == now:
                os.kill(os.getpid(), number)


def train(model, samples=60, batch_size=20, epochs=2, hooks=False, at=None, fit=(), shorter=0):
    """Run one training; see the module for the arguments and the result."""
    rank = int(os.environ["RANK"])
    hooks = hooks is True or (hooks is not False and hooks == rank)
    x = np.random.default_rng(0).random((samples, FEATURES), np.float32)
    x = x[: samples - rank * shorter]
    name, model = model, MODELS[model]()
    reduction = name if name in ("sum", "mean_with_sample_weight") else "sum_over_batch_size"
    loss = keras.losses.MeanSquaredError(reduction=reduction)
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss, metrics=["mae"])
    record = Record(at or {})
    history = ae_multi.fit(
        model,
        x,
        x,
        sample_weight=x[:, 0] if name == "mean_with_sample_weight" else None,
        batch_size=batch_size,
        epochs=epochs,
        callbacks=[record] if hooks else [],
        **{"verbose": 0, **dict(fit)},
    )
    digest = hashlib.sha256()
    for variable in [*model.variables, *model.optimizer.variables]:
        digest.update(np.ascontiguousarray(as_numpy(variable.value)).tobytes())
    return {
        "losses": record.losses or [float(value) for value in history.history["loss"]],
        "history": {
            key: [float(value) for value in values] for key, values in history.history.items()
        },
        "weights": [as_numpy(weight.value).tolist() for weight in model.weights],
        "sha256": digest.hexdigest(),
        "plan": history.plan.name,
        "resumed": history.resumed_from and list(history.resumed_from),
    }


def outcome(settings):
    """Return the result of a training, or its error."""
    try:
        return train(**settings)
    except (InputError, WorkerError, KeyboardInterrupt) as error:
        return {"error": type(error).__name__, "message": str(error)}


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        job = json.load(file)
    outcomes = {}
    for key, value in job.items():
        outcomes[key] = outcome(value)
        if outcomes[key].get("error") == "WorkerError":
            break
    with open(sys.argv[2], "w") as file:
        json.dump(outcomes, file)
