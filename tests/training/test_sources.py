"""Training, evaluation and prediction on sources, compared with arrays in memory."""

import os
import threading

import numpy as np
import pytest

import ae_multi
from ae_multi.errors import DivergenceError, InputError

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("plans_file")]

X = np.random.default_rng(0).random((203, 12), np.float32)
ARGUMENTS = {"batch_size": 8, "epochs": 3, "verbose": 0}
WINDOW = 5 * 8 * 48  # five batches


@pytest.fixture
def path(tmp_path):
    np.save(tmp_path / "x.npy", X)
    return tmp_path / "x.npy"


def network(keras, loss="mse"):
    layers = keras.layers
    made = keras.Sequential(
        [
            keras.Input((12,)),
            layers.Dense(7, activation="relu", kernel_initializer=keras.initializers.HeNormal(0)),
            layers.Dense(12, kernel_initializer=keras.initializers.HeNormal(1)),
        ]
    )
    made.compile("adam", loss, metrics=["mae"])
    return made


def plans(keras):
    from ae_multi import backends

    return [name for name, _ in backends.current().plans(network(keras)) if name != "inductor"]


def state(model):
    variables = model.variables + model.optimizer.variables
    return [np.array(variable) for variable in variables]


def assert_equal(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def test_training_is_bit_identical_to_arrays(keras, path):
    for plan in plans(keras):
        resident, windowed = network(keras), network(keras)
        source = ae_multi.source(path)
        expected = ae_multi.fit(
            resident, X, X, validation_data=(X, X), plan=plan, **ARGUMENTS
        ).history
        found = ae_multi.fit(
            windowed,
            source,
            source,
            validation_data=(source, source),
            plan=plan,
            window=WINDOW,
            **ARGUMENTS,
        ).history
        assert {key: found[key] for key in ("loss", "mae")} == {
            key: expected[key] for key in ("loss", "mae")
        }
        np.testing.assert_allclose(found["val_loss"], expected["val_loss"], rtol=1e-6)
        assert_equal(state(windowed), state(resident))


def test_fastest_plan_is_chosen_for_sources(keras, path):
    source = ae_multi.source(path)
    history = ae_multi.fit(network(keras), source, source, window=WINDOW, **ARGUMENTS)
    assert history.plan.name in plans(keras)


@pytest.mark.parametrize("order", ["global", "blocks"])
def test_resumed_training_is_bit_identical(keras, path, tmp_path, order):
    def train(model, epochs, **kwargs):
        source = ae_multi.source(path)
        arguments = {**ARGUMENTS, "epochs": epochs, "order": order, "window": WINDOW}
        return ae_multi.fit(model, source, source, plan=plans(keras)[0], **arguments, **kwargs)

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 13:
                raise KeyboardInterrupt

    whole = network(keras)
    train(whole, 3)
    kwargs = {"checkpoint": tmp_path / "saved", "checkpoint_every": "6 steps"}
    with pytest.raises(KeyboardInterrupt):
        train(network(keras), 3, callbacks=[Stop()], **kwargs)
    resumed = network(keras)
    history = train(resumed, 3, resume=True, **kwargs)
    assert history.resumed_from == (0, 12)
    assert_equal(state(resumed), state(whole))
    np.save(path, X + 1)
    with pytest.raises(InputError, match="a different"):
        train(network(keras), 3, resume=True, **kwargs)


def test_blocks_train_on_every_sample(keras, path):
    model = network(keras)
    source = ae_multi.source(path, block_size=3)
    seen = []

    def remember(x):
        seen.append(x)
        return x

    ae_multi.fit(
        model,
        source.map(remember),
        X,
        batch_size=8,
        verbose=0,
        order="blocks",
        window=WINDOW,
        plan=plans(keras)[0],
    )
    rows = np.concatenate([each for each in seen if len(each) > 8])  # without the first batch
    assert len(rows) == len(X)
    assert {row.tobytes() for row in rows} == {row.tobytes() for row in X}


def test_arrays_and_sources_are_combined(keras, path):
    weights = np.linspace(0, 1, len(X), dtype=np.float32)
    plan = plans(keras)[0]
    resident, windowed = network(keras), network(keras)
    ae_multi.fit(resident, X, 1 - X, sample_weight=weights, plan=plan, **ARGUMENTS)
    source = ae_multi.source(path)
    arguments = {"sample_weight": weights, "plan": plan, "window": WINDOW, **ARGUMENTS}
    ae_multi.fit(windowed, source, 1 - X, **arguments)
    assert_equal(state(windowed), state(resident))


def test_evaluate_and_predict_equal_those_of_arrays(keras, path, tmp_path, monkeypatch):
    from ae_multi.training import chunked, evaluation

    monkeypatch.setattr(chunked, "_CHUNK_BYTES", 1000)
    monkeypatch.setattr(evaluation, "_MAX_BYTES_PER_RUN", 1000)
    model, source = network(keras), ae_multi.source(path)
    expected = ae_multi.evaluate(model, X, X, batch_size=8, verbose=0)
    found = ae_multi.evaluate(model, source, source, batch_size=8, verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    outputs = ae_multi.predict(model, X, batch_size=8)
    assert_equal(ae_multi.predict(model, source, batch_size=8), outputs)
    for data in (source, X):
        written = ae_multi.predict(model, data, batch_size=8, out=tmp_path / "codes.npy")
        assert isinstance(written, np.memmap)
        assert_equal(np.load(tmp_path / "codes.npy"), outputs)
    assert {each.name for each in tmp_path.iterdir()} >= {"x.npy", "codes.npy"}


def test_invalid_outputs_file_is_refused(keras, path, tmp_path):
    model = network(keras)
    for out in ("codes.txt", tmp_path / "missing" / "codes.npy"):
        with pytest.raises(InputError, match="Expected"):
            ae_multi.predict(model, ae_multi.source(path), out=out)


def test_autoencoder_trains_encodes_and_checks_sources(keras, tmp_path):
    images = np.random.default_rng(0).random((70, 8, 8, 1), np.float32)
    np.save(tmp_path / "images.npy", images)
    source = ae_multi.source(tmp_path / "images.npy")
    plan = plans(keras)[0]
    models = [ae_multi.SimpleAutoencoder(4, input_shape=(8, 8, 1)) for _ in range(2)]
    for model, data in zip(models, (images, source), strict=True):
        model.compile()
        model.fit(data, batch_size=16, epochs=2, verbose=0, plan=plan)
    assert_equal(models[0].get_weights(), models[1].get_weights())
    codes = models[0].encode(images)
    np.testing.assert_allclose(models[1].encode(source), codes, rtol=1e-5, atol=1e-6)
    out = models[1].encode(source, out=tmp_path / "codes.npy")
    np.testing.assert_allclose(out, codes, rtol=1e-5, atol=1e-6)
    assert models[0].evaluate(source, verbose=0) == pytest.approx(
        models[0].evaluate(images, verbose=0), rel=1e-6
    )
    images[66] += 1
    np.save(tmp_path / "images.npy", images)
    with pytest.raises(InputError, match=r"The sample is images\.npy, row 66"):
        models[0].fit(ae_multi.source(tmp_path / "images.npy"), verbose=0)
    np.save(tmp_path / "rows.npy", X)
    with pytest.raises(InputError, match="shape"):
        models[0].fit(ae_multi.source(tmp_path / "rows.npy"), verbose=0)


def test_nan_is_found_with_its_file_and_row(keras, tmp_path):
    data = X.copy()
    data[101, 3] = np.nan
    np.save(tmp_path / "x.npy", data)
    source = ae_multi.source(tmp_path / "x.npy")
    model = network(keras)
    with pytest.raises(DivergenceError, match=r"NaN or infinity in x\.npy, row 101"):
        ae_multi.fit(model, source, source, window=WINDOW, plan=plans(keras)[0], **ARGUMENTS)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_file_that_changes_ends_the_training(keras, path):
    class Change(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            os.utime(path, (1, 1))

    source, model = ae_multi.source(path), network(keras)
    with pytest.raises(InputError, match=r"Expected .*x\.npy to stay unchanged"):
        ae_multi.fit(model, source, source, callbacks=[Change()], window=WINDOW, **ARGUMENTS)
    assert not [each for each in threading.enumerate() if "reads ahead" in each.name]


def test_unsuitable_arguments_are_refused(keras, path):
    source, model = ae_multi.source(path), network(keras)
    for arguments, message in (
        ({"order": "sorted"}, "Expected order to be 'global' or 'blocks'"),
        ({"window": "64 MB"}, "Expected window"),
        ({"window": 0}, "window"),
        ({"validation_split": 0.5}, "Expected validation_data with sources"),
        ({"order": "blocks", "shuffle": "batch"}, "Expected order='blocks'"),
        ({"class_weight": {0: 1.0}}, "class_weight"),
    ):
        with pytest.raises(InputError, match=message):
            ae_multi.fit(model, source, source, **arguments)
    with pytest.raises(InputError, match=r"Expected order='blocks' with an ae_multi\.source"):
        ae_multi.fit(model, X, X, order="blocks")


def test_keras_trains_evaluates_and_predicts_sources(keras, path):
    source = ae_multi.source(path)
    for arguments in ({}, {"shuffle": False, "steps_per_epoch": 5}):
        models = [network(keras), network(keras)]
        found = []
        for model, data in zip(models, (X, source), strict=True):
            model.run_eagerly = True
            history = ae_multi.fit(
                model, data, data, validation_data=(data, data), **ARGUMENTS, **arguments
            )
            assert history.plan.name == "keras"
            found.append(history.history)
        for name in found[0]:
            np.testing.assert_allclose(found[1][name], found[0][name], rtol=1e-5)
    expected = ae_multi.evaluate(models[0], X, X, verbose=0)
    np.testing.assert_allclose(
        ae_multi.evaluate(models[0], source, source, verbose=0), expected, rtol=1e-5
    )
    outputs = ae_multi.predict(models[0], X)
    np.testing.assert_allclose(ae_multi.predict(models[0], source), outputs, rtol=1e-5)
    with pytest.raises(InputError, match="together with sources and dense arrays"):
        ae_multi.fit(models[0], source, np.array(["a"] * len(X)))


def test_weights_and_masks_from_sources_give_the_losses_of_arrays(keras):
    rng = np.random.default_rng(0)
    images, weights = rng.random((40, 8, 8, 1), np.float32), rng.random(40, np.float32)
    model = ae_multi.SimpleAutoencoder(4, input_shape=(8, 8, 1))
    model.compile()
    expected = model.evaluate(images, sample_weight=weights, verbose=0)
    source = ae_multi.source(images)
    for x in (images, source):
        for each in (weights, ae_multi.source(weights)):
            found = model.evaluate(x, sample_weight=each, verbose=0)
            assert found == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(
        model.predict(source, verbose=0), model.predict(images, verbose=0), rtol=1e-5
    )
    network = ae_multi.SegmentationNetwork((4,), classes=3, input_shape=(8, 8, 1))
    network.compile()
    masks = rng.integers(0, 3, (40, 8, 8))
    expected = network.evaluate(images, masks, verbose=0)
    found = network.evaluate(source, ae_multi.source(masks), verbose=0)
    assert found == pytest.approx(expected, rel=1e-6)
    with pytest.raises(InputError, match="Expected masks of values"):
        network.evaluate(source, ae_multi.source(masks + 1), verbose=0)
