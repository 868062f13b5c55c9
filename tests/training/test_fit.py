"""`ae_multi.fit` compared with Keras's `fit`: state, callbacks and invalid losses."""

import signal

import numpy as np
import pytest

import ae_multi
from ae_multi.errors import DivergenceError, InputError
from tests.reference.step_models import autoencoder, dense, task

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("plans_file")]


def state(model):
    variables = model.variables + model.optimizer.variables + model.metrics_variables
    return [np.array(variable) for variable in variables]


def assert_same(one, other, **tolerance):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, **tolerance)


def test_fit_equals_keras_fit(keras, x):
    arguments = {"batch_size": 16, "epochs": 3, "verbose": 0, "validation_split": 0.2}
    ours, theirs = autoencoder(keras), autoencoder(keras)
    fast = ae_multi.fit(ours, x, x, **arguments)
    slow = ae_multi.fit(theirs, x, x, plan="keras", **arguments)
    assert fast.plan.name != "keras"
    assert slow.plan.name == "keras"
    assert fast.history.keys() == slow.history.keys()
    for name, values in slow.history.items():
        np.testing.assert_allclose(fast.history[name], values, rtol=2e-6, err_msg=name)
    assert fast.epoch == slow.epoch
    assert_same(state(ours), state(theirs), rtol=1e-4, atol=1e-6)
    assert int(ours.optimizer.iterations) == 12
    # Both continue with Keras's fit.
    for each in (ours, theirs):
        each.fit(x, x, shuffle=False, verbose=0)
    assert_same(ours.get_weights(), theirs.get_weights(), rtol=1e-4, atol=1e-6)


def test_model_trains_on_changing_numbers_of_samples(keras, x):
    from ae_multi import backends

    def trained(plan):
        made = autoencoder(keras)
        for samples in (33, 40, 33):  # two batches of each
            part = x[:samples]
            ae_multi.fit(made, part, part, 16, steps_per_epoch=2, verbose=0, plan=plan)
        return state(made)

    expected = trained("keras")
    for plan, _ in backends.current().plans(autoencoder(keras)):
        if plan != "inductor":
            assert_same(trained(plan), expected, rtol=1e-4, atol=1e-6, err_msg=plan)


def test_nested_inputs_and_sample_weights(keras):
    losses = []
    for plan in (None, "keras"):
        branching, (inputs, targets, weights) = task(keras, "branched", "sgd")
        history = ae_multi.fit(
            branching, inputs, targets, sample_weight=weights, epochs=2, verbose=0, plan=plan
        )
        losses.append(history.history["loss"])
    np.testing.assert_allclose(*losses, rtol=2e-6)


def test_uint8_inputs_train_as_in_keras(keras):
    bytes_ = np.random.default_rng(0).integers(0, 256, (40, 12), np.uint8)
    target = (bytes_ / 255).astype(np.float32)

    def scaling():
        keras.utils.clear_session()
        layers = keras.layers
        made = keras.Sequential(
            [
                keras.Input((12,), dtype="uint8"),
                layers.Rescaling(1 / 255),
                layers.Dense(12, kernel_initializer="zeros"),
            ]
        )
        made.compile("sgd", "mse")
        return made

    found = ae_multi.fit(scaling(), bytes_, target, epochs=2, verbose=0)
    plain = ae_multi.fit(scaling(), bytes_, target, epochs=2, verbose=0, plan="keras")
    np.testing.assert_allclose(found.history["loss"], plain.history["loss"], rtol=2e-6)


def test_batch_callbacks_are_called(keras, x):
    def train(**kwargs):
        ours, batches, counts = autoencoder(keras), [], []

        class Note(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                batches.append((batch, logs["loss"]))
                if not kwargs:  # variables are not updated within Keras's fit on JAX
                    counts.append(int(ours.optimizer.iterations))
                if len(batches) == 7:
                    ours.stop_training = True

        ae_multi.fit(ours, x, x, 16, epochs=5, verbose=0, callbacks=[Note()], **kwargs)
        return batches, counts

    seen, counts = train()
    assert [batch for batch, _ in seen] == [0, 1, 2, 3, 4, 0, 1]
    assert counts == [1, 2, 3, 4, 5, 6, 7]
    losses = [[loss for _, loss in part] for part in (seen, train(plan="keras")[0])]
    np.testing.assert_allclose(*losses, rtol=2e-6)


def test_callbacks_of_keras_are_supported(keras, x, tmp_path):
    ours = autoencoder(keras, learning_rate=0.01)
    kinds = keras.callbacks
    best = tmp_path / "best.weights.h5"
    history = ae_multi.fit(
        ours,
        x,
        x,
        epochs=6,
        verbose=0,
        validation_data=(x, x),
        callbacks=[
            kinds.ReduceLROnPlateau("val_loss", factor=0.5, patience=1, min_delta=10.0),
            kinds.ModelCheckpoint(best, save_best_only=True, save_weights_only=True),
            kinds.CSVLogger(tmp_path / "log.csv"),
            kinds.EarlyStopping("val_loss", patience=4, min_delta=10.0),
        ],
    )
    assert len(history.history["loss"]) == 5
    # Callbacks change the learning rate of the following steps.
    assert history.history["learning_rate"][-1] == pytest.approx(0.01 / 8)
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 6
    again = autoencoder(keras)
    again.optimizer.build(again.trainable_variables)
    again.load_weights(best)
    assert_same(again.get_weights(), ours.get_weights(), rtol=1e-6)


def test_progress_bar_shows_samples_per_second(keras, x, capsys):
    ae_multi.fit(autoencoder(keras), x, x, epochs=2, verbose=1)
    shown = capsys.readouterr().out
    assert "Epoch 2/2" in shown
    assert "samples/s" in shown
    assert "loss" in shown


def test_nan_loss_stops_training(keras, x):
    ours, twin = autoencoder(keras), autoencoder(keras)
    bad = x.copy()
    bad[37] = np.nan  # in the third batch of 16
    with pytest.raises(DivergenceError, match=r"nan in step 3 of epoch 1.*in x, sample 37\.$"):
        ae_multi.fit(ours, bad, bad, 16, shuffle=False, verbose=0)
    ae_multi.fit(twin, x, x, 16, shuffle=False, steps_per_epoch=2, verbose=0)
    assert_same(ours.get_weights(), twin.get_weights(), rtol=1e-6, atol=1e-7)
    watched = ae_multi.fit(
        autoencoder(keras),
        bad,
        bad,
        16,
        epochs=3,
        verbose=0,
        callbacks=[keras.callbacks.TerminateOnNaN()],
    )
    assert len(watched.epoch) == 1


def test_training_data_are_not_copied_on_a_cpu(keras, backend):
    from ae_multi import backends

    if backend != "torch" or not backends.current().device().startswith("cpu"):
        pytest.skip("JAX and GPUs copy arrays, and TensorFlow copies arrays that are not aligned")
    whole = np.random.default_rng(0).random((70, 12), np.float32)
    before = whole.copy()
    (on_device,) = backends.current().to_device((whole, None, None)).arrays
    assert np.shares_memory(np.asarray(on_device), whole)
    ae_multi.fit(autoencoder(keras), whole, whole, epochs=2, verbose=0)
    np.testing.assert_array_equal(whole, before)
    read_only = whole[::2]  # neither contiguous nor writeable
    read_only.flags.writeable = False
    ae_multi.fit(autoencoder(keras), read_only, read_only, verbose=0)


def test_divergence_on_finite_data_advises_a_smaller_learning_rate(keras, x):
    model = autoencoder(keras)
    model.compile(keras.optimizers.SGD(1e30), "mse")
    with pytest.raises(DivergenceError, match=r"smaller learning rate .* may help\.$"):
        ae_multi.fit(model, x, x, 16, epochs=3, verbose=0)


@pytest.mark.parametrize("by_batch", [False, True])
def test_last_finite_weights_are_restored_across_runs(keras, x, by_batch):
    """The loss of the first step is finite, but the step makes the weights infinite."""

    def overflowing():
        layers = keras.layers
        model = keras.Sequential([keras.Input((12,)), layers.Dense(4), layers.Dense(12)])
        model.compile(keras.optimizers.SGD(1e30), "mse")
        return model

    model = overflowing()
    start, large = model.get_weights(), 1e15 * x
    each_batch = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    arguments = {"batch_size": 16, "verbose": 0, "callbacks": [each_batch] * by_batch}
    with pytest.raises(DivergenceError, match=r"in step 2 of epoch 1.* its last finite weights"):
        ae_multi.fit(model, large, large, **arguments)
    assert_same(model.get_weights(), start)
    model.set_weights([np.full_like(weight, np.inf) for weight in start])
    with pytest.raises(DivergenceError, match=r"in step 1 of epoch 1.* were not finite before"):
        ae_multi.fit(model, large, large, **arguments)


def test_ctrl_c_leaves_complete_steps(keras, x):
    ours, twin = autoencoder(keras), autoencoder(keras)

    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 2:
                from ae_multi import backends

                real = backends.current().Steps.run

                def run(steps, rows):
                    signal.raise_signal(signal.SIGINT)  # in the middle of the step
                    return real(steps, rows)

                patch.setattr(backends.current().Steps, "run", run)

    # SIGINT may be ignored in a background process, so set the default handler.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
            ae_multi.fit(ours, x, x, 16, shuffle=False, verbose=0, callbacks=[Interrupt()])
    finally:
        signal.signal(signal.SIGINT, before)
    ae_multi.fit(twin, x, x, 16, shuffle=False, steps_per_epoch=3, verbose=0)
    assert_same(ours.get_weights(), twin.get_weights(), rtol=1e-6, atol=1e-7)
    ours.evaluate(x, x, verbose=0)


def test_unsupported_models_fall_back_to_keras_with_one_warning(keras, x, caplog):
    for _ in range(2):
        history = ae_multi.fit(autoencoder(keras, run_eagerly=True), x, x, verbose=0)
        assert history.plan.name == "keras"
        assert "run_eagerly" in history.plan.why
    assert len([record for record in caplog.records if "run_eagerly" in record.message]) <= 1
    data = keras.utils.PyDataset

    class Whole(data):
        def __len__(self):
            return 1

        def __getitem__(self, place):
            return x, x

    assert ae_multi.fit(autoencoder(keras), Whole(), verbose=0).plan.name == "keras"


def test_jit_compile_false_on_jax_falls_back_to_keras(keras, backend, x):
    if backend != "jax":
        pytest.skip("only on JAX every plan needs a compiler")
    uncompiled = autoencoder(keras, jit_compile=False)
    plan = ae_multi.fit(uncompiled, x, x, verbose=0).plan
    assert plan.name == "keras"
    assert "model.jit_compile = None" in plan.why
    uncompiled.jit_compile = None
    assert ae_multi.fit(uncompiled, x, x, verbose=0).plan.name != "keras"


def test_repeated_trainings_are_bit_identical(keras, x):
    ends = []
    for _ in range(2):
        ours = autoencoder(keras)
        ae_multi.fit(ours, x, x, epochs=3, verbose=0)
        ends.append(state(ours))
    for a, b in zip(*ends, strict=True):
        np.testing.assert_array_equal(a, b)


def test_optimizer_of_another_model_is_refused(keras, x):
    first, second = autoencoder(keras), autoencoder(keras)
    ae_multi.fit(first, x, x, verbose=0)
    second.compile(first.optimizer, "mse")
    with pytest.raises(InputError, match="built for other weights"):
        ae_multi.fit(second, x, x, verbose=0)


def test_data_beyond_device_memory_are_refused(keras, x, monkeypatch):
    from ae_multi import backends

    def full(data):
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(backends.current(), "to_device", full)
    with pytest.raises(InputError, match=r"Received: 0.0 GiB.*PyDataset"):
        ae_multi.fit(autoencoder(keras), x, x, verbose=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"plan": "warp"}, "plan to be one of .*Received: 'warp'"),
        ({"y": np.zeros((3, 12))}, r"same number of samples.*x with 70 samples, y with 3 samples"),
        ({"class_weight": {0: 1.0}, "y": None}, "one array of labels"),
    ],
    ids=range(3),
)
def test_bad_arguments_are_refused(keras, x, arguments, message):
    with pytest.raises(InputError, match=message):
        ae_multi.fit(autoencoder(keras), x, **{"y": x, **arguments})
    with pytest.raises(InputError, match="compiled model"):
        ae_multi.fit(dense(keras), x, x)
