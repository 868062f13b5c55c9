"""`fit` of models: targets, batch order, callbacks and usage errors."""

import numpy as np
import pytest

import ae_multi
from ae_multi.errors import InputError

pytestmark = pytest.mark.backend


def test_fit_trains_to_given_targets(small):
    model = ae_multi.DeepAutoencoder((16, 8), 4, (8, 8, 1))
    model.compile()
    clean = np.full_like(small, 0.25)
    before = model.evaluate(small, clean, verbose=0)
    model.fit(small, clean, epochs=20, verbose=0)
    assert model.evaluate(small, clean, verbose=0) < 0.8 * before


def test_training_lowers_the_loss(small):
    model = ae_multi.DeepAutoencoder((16, 8), 4, (8, 8, 1))
    model.compile()
    history = model.fit(small, epochs=8, batch_size=16, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_metrics_and_validation_use_the_input_as_target(keras, small):
    model = ae_multi.SimpleAutoencoder(4, (8, 8, 1))
    model.compile(metrics=["mae"])
    history = model.fit(small, epochs=1, verbose=0, validation_data=small[:20]).history
    error = model.reconstruct(small[:20]) - small[:20]
    assert history["val_loss"][0] == pytest.approx(np.mean(error**2), rel=1e-5)
    assert history["val_mae"][0] == pytest.approx(np.mean(abs(error)), rel=1e-5)
    with_target = model.fit(
        small, epochs=1, verbose=0, validation_data=(small[:20], 1 - small[:20])
    ).history
    error = model.reconstruct(small[:20]) - (1 - small[:20])
    assert with_target["val_loss"][0] == pytest.approx(np.mean(error**2), rel=1e-5)


def test_validation_split_selects_the_last_samples(small):
    model = ae_multi.SimpleAutoencoder(4, (8, 8, 1))
    model.compile()
    history = model.fit(small, epochs=1, verbose=0, validation_split=0.2).history
    rest = small[56:]
    expected = np.mean((model.reconstruct(rest) - rest) ** 2)
    assert history["val_loss"][0] == pytest.approx(expected, rel=1e-5)


def test_sample_weights_scale_the_loss(small):
    model = ae_multi.SimpleAutoencoder(4, (8, 8, 1))
    model.compile()
    weights = np.arange(70) % 3 / 2
    errors = np.mean((model.reconstruct(small) - small) ** 2, axis=(1, 2, 3))
    found = model.evaluate(small, sample_weight=weights, batch_size=70, verbose=0)
    assert found == pytest.approx(np.mean(errors * weights), rel=1e-5)
    fitted = model.fit(small, sample_weight=0 * weights, epochs=1, verbose=0).history["loss"]
    assert fitted == [0.0]


class Spy:
    """Model and data that record which samples are in each training batch."""

    def __init__(self, keras, samples):
        self.x = np.zeros((samples, 3), np.float32)
        self.x[:, 0] = np.arange(samples) / samples
        spy = self
        self.batches = []

        class Marked(ae_multi.SimpleAutoencoder):
            def train_step(self, *args):
                data = args[-1]  # on JAX the first argument is the state
                x = data[0]
                spy.batches.append(keras.ops.convert_to_numpy(x)[:, 0])
                return super().train_step(*args)

        self.model = Marked(2, 3, seed=4)
        self.model.compile(run_eagerly=True)

    def fitted_batches(self, **kwargs):
        """Call fit and return the sample numbers of each batch, in order."""
        self.batches.clear()
        self.model.fit(self.x, verbose=0, **kwargs)
        return [np.round(batch * len(self.x)).astype(int).tolist() for batch in self.batches]


def test_batches_follow_the_order_of_the_seed(keras):
    from ae_multi.randomness.streams import permutation

    spy = Spy(keras, 20)
    expected = [
        permutation(4, epoch, 20)[begin : begin + 8].tolist()
        for epoch in range(3)
        for begin in (0, 8, 16)
    ]
    assert spy.fitted_batches(epochs=3, batch_size=8) == expected
    # A call with an initial epoch continues the numbering of the previous call.
    assert spy.fitted_batches(epochs=3, batch_size=8, initial_epoch=2) == expected[6:]
    # With fewer steps, each epoch uses the beginning of its order.
    spy = Spy(keras, 20)
    batches = spy.fitted_batches(epochs=2, batch_size=8, steps_per_epoch=2)
    assert batches == [*expected[:2], *expected[3:5]]
    # Without shuffling the order is unchanged.
    assert spy.fitted_batches(batch_size=8, shuffle=False) == [
        list(range(8)),
        list(range(8, 16)),
        list(range(16, 20)),
    ]


def test_validation_does_not_change_the_batch_order(keras):
    expected = Spy(keras, 20).fitted_batches(epochs=2, batch_size=8)
    spy = Spy(keras, 20)
    assert spy.fitted_batches(epochs=2, batch_size=8, validation_data=spy.x[:5]) == expected


def test_keras_callbacks_record_epochs_and_stop_training(keras, small, tmp_path):
    model = ae_multi.SimpleAutoencoder(4, (8, 8, 1))
    model.compile()
    seen = []
    record = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append((epoch, logs["loss"], logs["val_loss"]))
    )
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=2, min_delta=10.0)
    history = model.fit(small, epochs=9, verbose=0, validation_split=0.5, callbacks=[record, stop])
    assert [epoch for epoch, *_ in seen] == [0, 1, 2]
    assert history.history["loss"] == [loss for _, loss, _ in seen]
    model.fit(small, verbose=0, callbacks=keras.callbacks.CSVLogger(tmp_path / "log.csv"))
    assert (tmp_path / "log.csv").read_text().startswith("epoch,loss")


def test_backup_and_restore_resumes_bit_identically(keras, small, tmp_path):
    def fit(epochs, **kwargs):
        model = ae_multi.DeepAutoencoder((16,), 4, (8, 8, 1), seed=3)
        model.compile()
        model.fit(small, epochs=epochs, batch_size=16, verbose=0, **kwargs)
        return model

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise InterruptedError

    uninterrupted = fit(4)
    backup = tmp_path / "backup"
    with pytest.raises(InterruptedError):
        fit(4, callbacks=[keras.callbacks.BackupAndRestore(backup), Stop()])
    resumed = fit(4, callbacks=[keras.callbacks.BackupAndRestore(backup)])
    for a, b in zip(uninterrupted.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_pydatasets_are_passed_to_keras(keras, small):
    class Halves(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return (small[35 * index : 35 * index + 35],)

    model = ae_multi.SimpleAutoencoder(4, (8, 8, 1))
    model.compile()
    expected = np.mean((model.reconstruct(small) - small) ** 2)
    data = Halves(workers=1)
    assert model.evaluate(data, verbose=0) == pytest.approx(expected, rel=1e-5)
    history = model.fit(data, epochs=3, verbose=0, validation_data=Halves())
    assert len(history.history["val_loss"]) == 3
    assert history.history["loss"][-1] < expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": 0}, "epochs .*Received: 0"),
        ({"batch_size": -1}, "batch_size .*Received: -1"),
        ({"batch_size": 32, "steps_per_epoch": 4}, "steps_per_epoch of at most 3.*Received: 4"),
        ({"y": np.zeros((3, 8, 8, 1))}, "y to have an entry for each of the 70"),
        ({"sample_weight": np.zeros(3)}, "sample_weight .* 70 samples"),
        ({"validation_split": 1.5}, "validation_split to be a fraction between 0 and 1"),
        ({"validation_split": 0.999}, "Received: 0.999 of 70 samples"),
        ({"validation_data": np.full((2, 8, 8, 1), 9.0)}, r"within \[0, 1\]"),
    ],
    ids=range(8),
)
def test_invalid_arguments_of_fit_are_refused(small, arguments, message):
    model = ae_multi.SimpleAutoencoder(4, (8, 8, 1))
    model.compile()
    with pytest.raises(InputError, match=message):
        model.fit(small, **arguments)
