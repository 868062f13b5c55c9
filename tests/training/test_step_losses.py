"""The loss of each step, collected in runs of many steps."""

import numpy as np
import pytest

import ae_multi
from ae_multi._keras import keras
from ae_multi.training.step_losses import StepLosses

pytestmark = pytest.mark.backend
EPOCHS, BATCH = 3, 64


class Reset(keras.callbacks.Callback):
    """Callback that makes the logs of each batch those of this batch alone."""

    def __init__(self):
        super().__init__()
        self.losses = []

    def on_train_batch_begin(self, batch, logs=None):
        self.model.reset_metrics()

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(float(logs["loss"]))


def train(callback, **arguments):
    model = ae_multi.SimpleAutoencoder(latent_dim=5, input_shape=12, seed=0)
    model.compile()
    x = np.random.default_rng(0).random((1000, 12), np.float32)
    settings = {"batch_size": BATCH, "epochs": EPOCHS, "verbose": 0, **arguments}
    model.fit(x, callbacks=[callback], **settings)
    return callback.losses


def test_losses_are_those_of_single_batches():
    losses = train(StepLosses())
    assert len(losses) == EPOCHS * 16  # 15 full batches and one of 40 samples
    assert losses == pytest.approx(train(Reset()), rel=1e-5)


def test_losses_before_a_checkpoint_are_kept(tmp_path):
    whole = train(StepLosses())
    saved = {"checkpoint": tmp_path, "checkpoint_every": "7 steps"}

    class Stop(StepLosses):
        def add(self, done, batch, means):
            super().add(done, batch, means)
            if len(self.losses) >= 25:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(named_as_its_base(Stop)(), **saved)
    resumed = train(StepLosses(), resume=True, **saved)
    assert resumed == whole


def named_as_its_base(callback):
    """Return the class under the name of `StepLosses`, since checkpoints name callbacks."""
    callback.__name__ = StepLosses.__name__
    return callback
