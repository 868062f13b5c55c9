"""Autoencoders as ordinary Keras models."""

import numpy as np
import pytest

import ae_multi
from ae_multi.errors import InputError

pytestmark = pytest.mark.backend


@pytest.fixture(scope="module")
def keras():
    from ae_multi._keras import keras

    return keras


def own_parts(keras):
    """A convolutional encoder and decoder as a user might bring them."""
    encoder = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(5),
        ]
    )
    decoder = keras.Sequential(
        [
            keras.Input((5,)),
            keras.layers.Dense(4 * 4 * 4, activation="relu"),
            keras.layers.Reshape((4, 4, 4)),
            keras.layers.Conv2DTranspose(1, 3, strides=2, padding="same"),
        ]
    )
    return encoder, decoder


def models(keras):
    return {
        "simple": ae_multi.SimpleAutoencoder(4, (8, 8, 1)),
        "deep": ae_multi.DeepAutoencoder((16, 8), 4, (8, 8, 1)),
        "own": ae_multi.Autoencoder(*own_parts(keras), seed=2),
    }


@pytest.fixture(params=["simple", "deep", "own"])
def model(request, keras):
    made = models(keras)[request.param]
    made.compile()
    return made


@pytest.fixture
def small():
    return np.random.default_rng(1).random((70, 8, 8, 1), np.float32)


@pytest.mark.parametrize("shape", [(28, 28, 1), (28, 28), (8, 6, 3), (20,), 20, (2, 3, 4, 5)])
def test_any_input_shape(shape):
    expected = (shape,) if isinstance(shape, int) else shape
    x = np.random.default_rng(0).random((9, *expected), np.float32)
    for model in (
        ae_multi.SimpleAutoencoder(3, shape),
        ae_multi.DeepAutoencoder((7, 5), 3, shape),
        ae_multi.DeepAutoencoder((), 3, shape),
    ):
        assert model.encode(x).shape == (9, 3)
        assert model.reconstruct(x).shape == x.shape
        assert isinstance(model.reconstruct(x), np.ndarray)
        model.compile()
        model.fit(x, verbose=0)


def test_reconstruct_is_decode_of_encode(model, small):
    codes = model.encode(small)
    np.testing.assert_allclose(model.decode(codes), model.reconstruct(small), atol=1e-6)
    np.testing.assert_allclose(model.predict(small, verbose=0), model.reconstruct(small), atol=1e-6)


def test_the_target_is_the_input_and_the_loss_mse(model, small):
    mse = np.mean((model.reconstruct(small) - small) ** 2)
    assert model.evaluate(small, verbose=0) == pytest.approx(mse, rel=1e-5)
    assert model.evaluate(small, small, verbose=0) == pytest.approx(mse, rel=1e-5)
    other = 1 - small
    expected = np.mean((model.reconstruct(small) - other) ** 2)
    assert model.evaluate(small, other, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_fitting_to_another_target(model, small):
    clean = np.full_like(small, 0.25)
    before = model.evaluate(small, clean, verbose=0)
    model.fit(small, clean, epochs=20, verbose=0)
    assert model.evaluate(small, clean, verbose=0) < 0.8 * before


def test_training_lowers_the_loss(model, small):
    history = model.fit(small, epochs=8, batch_size=16, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]


def test_metrics_and_validation_see_the_input_as_target(keras, small):
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


def test_validation_split_takes_the_last_samples(small):
    model = ae_multi.SimpleAutoencoder(4, (8, 8, 1))
    model.compile()
    history = model.fit(small, epochs=1, verbose=0, validation_split=0.2).history
    rest = small[56:]
    expected = np.mean((model.reconstruct(rest) - rest) ** 2)
    assert history["val_loss"][0] == pytest.approx(expected, rel=1e-5)


def test_sample_weights_weigh(small):
    model = ae_multi.SimpleAutoencoder(4, (8, 8, 1))
    model.compile()
    weights = np.arange(70) % 3 / 2
    errors = np.mean((model.reconstruct(small) - small) ** 2, axis=(1, 2, 3))
    found = model.evaluate(small, sample_weight=weights, batch_size=70, verbose=0)
    assert found == pytest.approx(np.mean(errors * weights), rel=1e-5)
    fitted = model.fit(small, sample_weight=0 * weights, epochs=1, verbose=0).history["loss"]
    assert fitted == [0.0]


class Spy:
    """Notes which samples each batch of a training held, by a value that marks them."""

    def __init__(self, keras, samples):
        self.x = np.zeros((samples, 3), np.float32)
        self.x[:, 0] = np.arange(samples) / samples
        spy = self
        self.batches = []

        class Marked(ae_multi.SimpleAutoencoder):
            def train_step(self, *args):
                data = args[-1]  # JAX hands its state over first
                x = data[0]
                spy.batches.append(keras.ops.convert_to_numpy(x)[:, 0])
                return super().train_step(*args)

        self.model = Marked(2, 3, seed=4)
        self.model.compile(run_eagerly=True)

    def orders(self, **kwargs):
        """The order of samples in each batch of a fit."""
        self.batches.clear()
        self.model.fit(self.x, verbose=0, **kwargs)
        return [np.round(batch * len(self.x)).astype(int).tolist() for batch in self.batches]


def test_batches_come_in_the_projects_order(keras):
    from ae_multi.randomness.streams import permutation

    spy = Spy(keras, 20)
    expected = [
        permutation(4, epoch, 20)[begin : begin + 8].tolist()
        for epoch in range(3)
        for begin in (0, 8, 16)
    ]
    assert spy.orders(epochs=3, batch_size=8) == expected
    # Going on from epoch 2 sees what an unbroken training would have seen.
    assert spy.orders(epochs=3, batch_size=8, initial_epoch=2) == expected[6:]
    # Fewer steps are the first of each epoch's order.
    assert spy.orders(epochs=2, batch_size=8, steps_per_epoch=2) == [*expected[:2], *expected[3:5]]
    # Nothing is moved unless asked for.
    assert spy.orders(batch_size=8, shuffle=False) == [
        list(range(8)),
        list(range(8, 16)),
        list(range(16, 20)),
    ]


def test_validation_does_not_disturb_the_order(keras):
    spy = Spy(keras, 20)
    plain = spy.orders(epochs=2, batch_size=8)
    assert spy.orders(epochs=2, batch_size=8, validation_data=spy.x[:5]) == plain


def test_callbacks_work(keras, small, tmp_path):
    model = ae_multi.SimpleAutoencoder(4, (8, 8, 1))
    model.compile()
    seen = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append((epoch, logs["loss"], logs["val_loss"]))
    )
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=2, min_delta=10.0)
    history = model.fit(small, epochs=9, verbose=0, validation_split=0.5, callbacks=[note, stop])
    assert [epoch for epoch, *_ in seen] == [0, 1, 2]
    assert history.history["loss"] == [loss for _, loss, _ in seen]
    model.fit(small, verbose=0, callbacks=keras.callbacks.CSVLogger(tmp_path / "log.csv"))
    assert (tmp_path / "log.csv").read_text().startswith("epoch,loss")


def test_a_training_taken_up_again_equals_an_unbroken_one(keras, small, tmp_path):
    def fit(epochs, **kwargs):
        model = ae_multi.DeepAutoencoder((16,), 4, (8, 8, 1), seed=3)
        model.compile()
        model.fit(small, epochs=epochs, batch_size=16, verbose=0, **kwargs)
        return model

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise InterruptedError

    whole = fit(4)
    backup = tmp_path / "backup"
    with pytest.raises(InterruptedError):
        fit(4, callbacks=[keras.callbacks.BackupAndRestore(backup), Stop()])
    resumed = fit(4, callbacks=[keras.callbacks.BackupAndRestore(backup)])
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_data_sets_and_generators_are_handed_to_keras(keras, small):
    class Halves(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, place):
            return (small[35 * place : 35 * place + 35],)

    model = ae_multi.SimpleAutoencoder(4, (8, 8, 1))
    model.compile()
    expected = np.mean((model.reconstruct(small) - small) ** 2)
    data = Halves(workers=1)
    assert model.evaluate(data, verbose=0) == pytest.approx(expected, rel=1e-5)
    history = model.fit(data, epochs=3, verbose=0, validation_data=Halves())
    assert len(history.history["val_loss"]) == 3
    assert history.history["loss"][-1] < expected


def test_tensors_of_the_backend_are_taken(keras, small):
    model = ae_multi.SimpleAutoencoder(4, (8, 8, 1))
    model.compile()
    tensor = keras.ops.convert_to_tensor(small)
    np.testing.assert_array_equal(model.encode(tensor), model.encode(small))
    assert model.evaluate(tensor, verbose=0) == model.evaluate(small, verbose=0)
    model.fit(tensor, verbose=0)


def test_the_seed_fixes_the_start(keras):
    def start(seed):
        return ae_multi.DeepAutoencoder((6,), 2, 9, seed=seed).get_weights()

    for a, b in zip(start(1), start(1), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(start(1)[0], start(2)[0])
    kernels = [w for w in start(1) if w.ndim == 2]
    assert abs(kernels[0]).max() <= np.sqrt(6 / 15)
    own = [ae_multi.Autoencoder(*own_parts(keras), seed=5).get_weights() for _ in range(2)]
    for a, b in zip(*own, strict=True):
        np.testing.assert_array_equal(a, b)


def test_without_a_seed_the_weights_stay_as_they_came(keras):
    encoder, decoder = own_parts(keras)
    before = encoder.get_weights()
    model = ae_multi.Autoencoder(encoder, decoder)
    for a, b in zip(before, model.encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_parts_without_an_input_are_built_when_data_comes(keras):
    encoder = keras.Sequential([keras.layers.Dense(3)])
    decoder = keras.Sequential([keras.layers.Dense(7)])
    model = ae_multi.Autoencoder(encoder, decoder)
    model.compile()
    x = np.ones((5, 7), np.float32)
    model.fit(x, verbose=0)
    assert model.encode(x).shape == (5, 3)
    with pytest.raises(InputError, match=r"begin it with a keras\.Input"):
        ae_multi.Autoencoder(keras.Sequential([keras.layers.Dense(3)]), decoder, seed=1)


def test_the_summary_shows_both_parts(capsys):
    ae_multi.DeepAutoencoder().summary()
    shown = capsys.readouterr().out
    for word in ("encoder", "down_1", "code", "decoder", "up_4", "pixels", "(None, 9)", "224,601"):
        assert word in shown


def test_config_and_clone(model, keras):
    again = type(model).from_config(model.get_config())
    assert [w.shape for w in again.get_weights()] == [w.shape for w in model.get_weights()]
    assert again.get_config() == model.get_config() or isinstance(model, ae_multi.Autoencoder)
    if type(model) is not ae_multi.Autoencoder:
        assert again.get_config() == model.get_config()
        for a, b in zip(again.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_saved_and_loaded(model, small, tmp_path):
    model.fit(small, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    again = ae_multi.load_model(tmp_path / "model.keras")
    assert type(again) is type(model)
    np.testing.assert_array_equal(again.reconstruct(small), model.reconstruct(small))
    # The optimizer comes along: both go on alike.
    for each in (model, again):
        each.fit(small, epochs=1, verbose=0)
    np.testing.assert_array_equal(again.reconstruct(small), model.reconstruct(small))
    with pytest.raises(InputError, match="exists"):
        model.save(tmp_path / "model.keras", overwrite=False)


def test_an_interrupted_save_leaves_the_old_model(keras, small, tmp_path, monkeypatch):
    model = ae_multi.SimpleAutoencoder(4, (8, 8, 1))
    path = tmp_path / "model.keras"
    model.save(path)
    before = path.read_bytes()

    def write_half(self, filepath, **kwargs):
        filepath.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(keras.Model, "save", write_half)
    with pytest.raises(KeyboardInterrupt):
        model.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_damaged_model_file_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    with pytest.raises(InputError, match="no file"):
        ae_multi.load_model(path)
    ae_multi.SimpleAutoencoder(4, 9).save(path)
    whole = path.read_bytes()
    for data in (b"", b"nonsense", whole[: len(whole) // 2]):
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"model\.keras, which Keras cannot load"):
            ae_multi.load_model(path)


def test_a_lambda_in_a_file_never_runs(keras, tmp_path):
    encoder = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x * 2)])
    decoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    ae_multi.Autoencoder(encoder, decoder).save(tmp_path / "model.keras")
    with pytest.raises(InputError, match=r"lambda"):
        ae_multi.load_model(tmp_path / "model.keras")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ae_multi.SimpleAutoencoder(0), "latent_dim .*at least 1. Received: 0"),
        (lambda: ae_multi.SimpleAutoencoder(-3), "latent_dim .*Received: -3"),
        (lambda: ae_multi.SimpleAutoencoder(2.5), "latent_dim .*Received: 2.5"),
        (lambda: ae_multi.SimpleAutoencoder(2, (0, 5)), "input_shape .*Received: 0"),
        (lambda: ae_multi.SimpleAutoencoder(2, ()), "input_shape .*sizes of one sample"),
        (lambda: ae_multi.SimpleAutoencoder(2, None), "input_shape .*sizes of one sample"),
        (lambda: ae_multi.SimpleAutoencoder(2, seed=-1), "seed"),
        (lambda: ae_multi.DeepAutoencoder((8, 0)), "hidden .*Received: 0"),
        (lambda: ae_multi.DeepAutoencoder(8), "hidden to be a sequence"),
        (lambda: ae_multi.Autoencoder("a", "b"), "encoder to be a Keras model. Received: str"),
    ],
    ids=range(10),
)
def test_bad_sizes_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_parts_that_do_not_fit_each_other_are_refused(keras):
    encoder, _ = own_parts(keras)
    decoder = keras.Sequential([keras.Input((6,)), keras.layers.Dense(64)])
    with pytest.raises(InputError, match=r"codes of shape \(6,\).*codes of shape \(5,\)"):
        ae_multi.Autoencoder(encoder, decoder)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((4, 8, 8)), r"shape \(n, 8, 8, 1\).*reshape\(-1, 8, 8, 1\)"),
        (np.zeros((4, 28, 28, 1)), r"Received: shape \(4, 28, 28, 1\)"),
        (np.zeros((0, 8, 8, 1)), "at least one sample"),
        (np.full((4, 8, 8, 1), 255, np.uint8), "Divide by 255 first"),
        (np.full((4, 8, 8, 1), -0.5), r"within \[0, 1\]"),
        (np.full((4, 8, 8, 1), np.nan), "finite"),
        (np.full((4, 8, 8, 1), np.inf), "finite"),
    ],
    ids=["channel", "size", "empty", "bytes", "negative", "nan", "inf"],
)
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict", "encode", "reconstruct"])
def test_bad_images_are_refused_everywhere(x, message, method):
    model = ae_multi.SimpleAutoencoder(4, (8, 8, 1))
    model.compile()
    with pytest.raises(InputError, match=message):
        getattr(model, method)(x)


def test_models_of_the_users_own_take_any_finite_value(keras):
    model = ae_multi.Autoencoder(*own_parts(keras), seed=1)
    model.compile()
    model.fit(np.full((4, 8, 8, 1), -7.0), verbose=0)
    with pytest.raises(InputError, match="finite"):
        model.fit(np.full((4, 8, 8, 1), np.nan))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": 0}, "epochs .*Received: 0"),
        ({"batch_size": -1}, "batch_size .*Received: -1"),
        ({"steps_per_epoch": 4}, "steps_per_epoch of at most 3.*Received: 4"),
        ({"y": np.zeros((3, 8, 8, 1))}, "y to have an entry for each of the 70"),
        ({"sample_weight": np.zeros(3)}, "sample_weight .* 70 samples"),
        ({"validation_split": 1.5}, "validation_split to be a share between 0 and 1"),
        ({"validation_split": 0.999}, "Received: 0.999 of 70 samples"),
        ({"validation_data": np.full((2, 8, 8, 1), 9.0)}, r"within \[0, 1\]"),
    ],
    ids=range(8),
)
def test_bad_arguments_of_fit_are_refused(small, arguments, message):
    model = ae_multi.SimpleAutoencoder(4, (8, 8, 1))
    model.compile()
    with pytest.raises(InputError, match=message):
        model.fit(small, **arguments)
