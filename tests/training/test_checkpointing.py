"""Trainings resumed from checkpoints, bit for bit."""

import errno
import itertools
import logging
import os
import types

import numpy as np
import pytest

import ae_multi
from ae_multi.checkpoints import Folder
from ae_multi.errors import InputError
from ae_multi.training.epochs import set_epochs

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("plans_file")]

EPOCHS = 9


@pytest.fixture(scope="module")
def task(keras):
    """(model, initial state); built once, since compilation takes long."""
    made = network(keras)
    made.optimizer.build(made.trainable_variables)
    made._symbolic_build(data_batch=(np.zeros((16, 12)),) * 2)
    return made, state(made)


def network(keras, units=8, rate=1e-2, loss="mse", **adam):
    layers = keras.layers
    made = keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(units, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.2, seed=1),
            layers.Dense(12),
        ]
    )
    made.compile(keras.optimizers.Adam(rate, **adam), loss, metrics=["mae"])
    return made


def variables(model):
    return model.variables + model.optimizer.variables + model.metrics_variables


def state(model):
    from ae_multi._keras import keras

    return [np.array(keras.ops.convert_to_numpy(each.value)) for each in variables(model)]


class BrokenError(Exception):
    """Raised to end a training."""


@pytest.fixture
def train(keras, task, x):
    """Function that trains from the initial state and returns the final state.

    With ``broken``, it raises at the end of that epoch, before its checkpoint.
    """
    kinds = keras.callbacks

    class Break(kinds.Callback):
        def __init__(self, epoch):
            super().__init__()
            self.epoch = epoch

        def on_epoch_end(self, epoch, logs=None):
            if epoch == self.epoch:
                raise BrokenError

    def run(broken=None, patience=6, **options):
        model, begin = task
        for variable, value in zip(variables(model), begin, strict=True):
            variable.assign(value)
        set_epochs(model, 0, 0)
        callbacks = [
            kinds.EarlyStopping(
                "val_loss", patience=patience, min_delta=10.0, restore_best_weights=True
            ),
            kinds.ReduceLROnPlateau("val_loss", factor=0.5, patience=3, min_delta=10.0),
            kinds.LearningRateScheduler(lambda epoch, rate: 0.95 * rate),
            *options.pop("callbacks", []),
        ]
        if broken is not None:
            with pytest.raises(BrokenError):
                fit(model, callbacks=[*callbacks, Break(broken)], **options)
            return None
        history = fit(model, callbacks=callbacks, **options)
        return {
            "state": state(model),
            "history": history.history,
            "epochs": history.epoch,
            "resumed": history.resumed_from,
        }

    def fit(model, **options):
        given = {"batch_size": 16, "epochs": EPOCHS, "verbose": 0, "validation_data": (x, x)}
        return ae_multi.fit(model, x, x, **{**given, **options})

    return run


@pytest.fixture(scope="module")
def shared_result():
    """Dict that stores the result of an uninterrupted training for all tests."""
    return {}


@pytest.fixture
def uninterrupted(train, shared_result):
    """The result of an uninterrupted training."""
    if not shared_result:
        shared_result.update(train())
    return shared_result


def assert_same(one, other):
    assert one["epochs"] == other["epochs"]
    assert one["history"] == other["history"]
    for a, b in zip(one["state"], other["state"], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("every", "place"),
    [("1 epoch", (4, 0)), ("3 epochs", (3, 0)), ("3 steps", (4, 4)), ("7 steps", (4, 1))],
)
def test_resumed_training_is_bit_identical(train, uninterrupted, tmp_path, every, place, capsys):
    assert len(uninterrupted["epochs"]) == 7  # early stopping
    saved = {"checkpoint": tmp_path / "saved", "checkpoint_every": every}
    train(broken=4, **saved)
    again = train(**saved, resume=True, verbose=2)
    assert again["resumed"] == place
    assert f"Resuming after epoch {place[0]}" in capsys.readouterr().out
    assert_same(again, uninterrupted)
    # A finished training does not train again.
    ended = train(**saved, resume=True, epochs=EPOCHS + 5)
    assert ended["resumed"] == (7, 0)
    assert_same(ended, uninterrupted)


def test_checkpoint_state_is_a_copy(keras, task):
    from ae_multi.checkpoints.state import get_state

    model = task[0]
    best = keras.callbacks.EarlyStopping()
    best.best_weights = [weight.copy() for weight in model.get_weights()]
    gathered = get_state(model, [best])
    before = [value.copy() for _, value in gathered["variables"]["weights"]]
    saved_weights = gathered["callbacks"][0][1]["best_weights"]
    for variable, weight in zip(model.weights, best.best_weights, strict=True):
        variable.assign(keras.ops.full(variable.shape, 7, dtype=variable.dtype))
        weight[...] = 7
    for (_, value), old in zip(gathered["variables"]["weights"], before, strict=True):
        np.testing.assert_array_equal(value, old)
    assert not all((weight == 7).all() for weight in saved_weights)


def test_checkpoints_by_time_resume_bit_identically(train, uninterrupted, tmp_path, monkeypatch):
    from ae_multi.checkpoints import saver

    readings = itertools.count(0, 20)  # each reading of the clock is 20 seconds after the last
    clock = types.SimpleNamespace(monotonic=lambda: next(readings))
    monkeypatch.setattr(saver, "time", clock)
    saved = {"checkpoint": tmp_path / "saved", "checkpoint_every": "1 minute"}
    train(broken=4, **saved)
    again = train(**saved, resume=True)
    assert again["resumed"] is not None
    assert_same(again, uninterrupted)


def test_training_may_be_interrupted_repeatedly(train, uninterrupted, tmp_path):
    saved = {"checkpoint": tmp_path, "checkpoint_every": "4 steps", "keep": 1, "resume": True}
    for epoch in range(1, 6):
        train(broken=epoch, **saved)
        assert len(list(tmp_path.glob("*.checkpoint"))) == 1
    assert_same(train(**saved), uninterrupted)


def test_resume_with_more_epochs(train, uninterrupted, tmp_path):
    train(epochs=3, checkpoint=tmp_path)
    again = train(checkpoint=tmp_path, resume=True)
    assert again["resumed"] == (3, 0)
    assert_same(again, uninterrupted)
    with pytest.raises(InputError, match=r"up to epoch 7 at least.*Received: epochs=2"):
        train(epochs=2, checkpoint=tmp_path, resume=True)


def test_resume_without_a_checkpoint_starts_from_the_beginning(
    train, uninterrupted, tmp_path, capsys
):
    begun = train(checkpoint=tmp_path, resume=True, verbose=2)
    assert "Starting from the beginning" in capsys.readouterr().out
    assert begun["resumed"] is None
    assert_same(begun, uninterrupted)


def test_damaged_checkpoint_is_skipped(train, uninterrupted, tmp_path, caplog):
    train(broken=4, checkpoint=tmp_path)
    newest = max(tmp_path.glob("*.checkpoint"))
    newest.write_bytes(newest.read_bytes()[:-500])
    again = train(checkpoint=tmp_path, resume=True)
    assert again["resumed"] == (3, 0)
    assert newest.name in caplog.text
    assert_same(again, uninterrupted)


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.pop("state"),
        lambda manifest: manifest.update(facts=[]),
        lambda manifest: manifest.update(versions="new"),
        lambda manifest: manifest["state"]["dict"].pop("variables"),
        lambda manifest: manifest["state"]["dict"]["variables"]["dict"]["weights"].append(1),
        lambda manifest: manifest["state"]["dict"]["callbacks"].append([1, 2]),
    ],
)
def test_malformed_contents_are_refused(train, saved, tmp_path, change):
    from ae_multi.checkpoints.folder import FORMAT

    (path,) = saved.glob("*.checkpoint")
    manifest, parts = FORMAT.read(path)
    del manifest["parts"]
    change(manifest)
    FORMAT.write(tmp_path / path.name, manifest, parts)
    with pytest.raises(InputError, match="Expected a complete checkpoint"):
        train(checkpoint=tmp_path, resume=True)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"batch_size": 8}, "batch_size, 8 instead of 16"),
        ({"seed": 1}, "seed of the order, 1 instead of 0"),
        ({"shuffle": False}, "seed of the order, None instead of 0"),
        ({"steps_per_epoch": 2}, "steps_per_epoch, 2 instead of 5"),
        ({"patience": 7}, r"callbacks\[0\].patience, 7 instead of 6"),
        ({"sample_weight": np.ones(70)}, r"data \(sample_weight\)"),
        ({"validation_data": (np.ones((4, 12)),) * 2}, "validation_data"),
    ],
)
def test_changed_setting_is_refused_by_name(train, saved, options, named):
    with pytest.raises(InputError, match=f"Received: a different {named}"):
        train(checkpoint=saved, resume=True, **options)


@pytest.fixture(scope="module")
def saved(keras, x, tmp_path_factory):
    """A folder for a checkpoint of one epoch."""
    return tmp_path_factory.mktemp("saved")


@pytest.fixture(autouse=True)
def _filled(request, train):
    if "saved" in request.fixturenames:
        folder = request.getfixturevalue("saved")
        if not list(folder.glob("*.checkpoint")):
            train(epochs=1, checkpoint=folder)


def test_changed_model_or_data_are_refused_by_name(keras, saved, x):
    def refused(model, data, named):
        with pytest.raises(InputError, match=f"Received: a different {named}"):
            ae_multi.fit(
                model,
                data,
                x,
                16,
                verbose=0,
                checkpoint=saved,
                resume=True,
                validation_data=(x, x),
            )

    changed = x.copy()
    changed[-1, -1] += 1e-6
    refused(network(keras, 9), x, r"model.config.layers\[1\].config.units, 9 instead of 8")
    refused(network(keras, loss="mae"), x, "loss, 'mae' instead of 'mse'")
    refused(network(keras, rate=1e-3), x, "learning_rate")
    refused(network(keras, beta_1=0.8), x, "optimizer.config.beta_1, 0.8 instead of 0.9")
    refused(network(keras), changed, r"data \(x\)\.")
    # Automatic names of Keras's layers are ignored.
    with pytest.raises(InputError, match=r"callbacks, EarlyStopping, .*Received: History\."):
        ae_multi.fit(
            network(keras),
            x,
            x,
            16,
            verbose=0,
            checkpoint=saved,
            resume=True,
            validation_data=(x, x),
        )


def test_custom_callbacks_may_save_their_state(keras, train, uninterrupted, tmp_path):
    class Counts(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.seen = []

        def on_epoch_end(self, epoch, logs=None):
            self.seen.append(epoch)

        def get_state(self):
            return {"seen": self.seen}

        def set_state(self, state):
            self.seen = state["seen"]

    train(broken=3, checkpoint=tmp_path, callbacks=[Counts()])
    again = Counts()
    assert_same(train(checkpoint=tmp_path, resume=True, callbacks=[again]), uninterrupted)
    assert again.seen == list(range(7))


def test_full_disk_does_not_stop_training(train, uninterrupted, tmp_path, monkeypatch, caplog):
    real, seen = os.fsync, []

    def fsync(file):
        seen.append(file)
        if len(seen) > 8:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    with caplog.at_level(logging.ERROR):
        assert_same(train(checkpoint=tmp_path), uninterrupted)
    assert "Expected to be able to write a checkpoint" in caplog.text
    assert "No space left on device" in caplog.text
    monkeypatch.setattr(os, "fsync", real)
    again = train(checkpoint=tmp_path, resume=True)
    assert (0, 0) < again["resumed"] < (7, 0)
    assert_same(again, uninterrupted)


def test_second_writer_is_refused_before_training(task, train, tmp_path):
    first_writer = Folder(tmp_path)
    with pytest.raises(InputError, match=r"no other training writes to\. Received: .*this process"):
        train(checkpoint=tmp_path, resume=True)
    first_writer.close()
    for one, other in zip(state(task[0]), task[1], strict=True):
        np.testing.assert_array_equal(one, other)


def test_other_write_errors_stop_training(train, tmp_path, monkeypatch):
    def write(*arguments):
        raise RuntimeError("a fault")

    monkeypatch.setattr(Folder, "write", write)
    with pytest.raises(RuntimeError, match="a fault"):
        train(checkpoint=tmp_path)
    Folder(tmp_path).close()  # the lock was released


def test_invalid_arguments_are_refused(keras, train, saved, x, tmp_path):
    with pytest.raises(InputError, match=r"or resume=True to resume.*which holds 1"):
        train(checkpoint=saved)
    with pytest.raises(InputError, match="checkpoint with resume=True"):
        train(resume=True)
    with pytest.raises(InputError, match="such as '1 epoch'"):
        train(checkpoint=tmp_path, checkpoint_every="now and then")
    with pytest.raises(InputError, match="Expected keep"):
        train(checkpoint=tmp_path, keep=0)
    with pytest.raises(InputError, match="plan='keras' is requested"):
        train(checkpoint=tmp_path, plan="keras")
    with pytest.raises(InputError, match="the data are a stream"):
        ae_multi.fit(network(keras), iter([(x, x)]), verbose=0, checkpoint=tmp_path)
    with pytest.raises(InputError, match="Expected a folder that checkpoints"):
        train(checkpoint="/proc/checkpoints")
    assert not list(tmp_path.glob("*.checkpoint"))


def test_model_with_noise_resumes_bit_identically(keras, small, tmp_path):
    def train(checkpoint=None, resume=False, epochs=4):
        model = ae_multi.DenoisingAutoencoder(
            latent_dim=3, hidden=(8,), input_shape=(8, 8, 1), seed=3
        )
        model.compile()
        best = keras.callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True)
        model.fit(
            small,
            batch_size=16,
            epochs=epochs,
            verbose=0,
            callbacks=[best],
            checkpoint=checkpoint,
            resume=resume,
        )
        return state(model)

    train(tmp_path, epochs=2)
    again = train(tmp_path, resume=True)
    for one, other in zip(train(), again, strict=True):
        np.testing.assert_array_equal(one, other)
