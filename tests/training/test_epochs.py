"""Each epoch of a model has a different batch order, over any number of calls of `fit`."""

import numpy as np
import pytest

import ae_multi
from ae_multi.randomness.streams import permutation
from ae_multi.training.epochs import Epochs, epochs_of

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("plans_file")]

N = 20


def network(keras, **options):
    """A model with this package's dropout and fixed initial weights."""
    from ae_multi.randomness.layers import Dropout

    layers = keras.layers
    model = keras.Sequential([keras.Input((12,)), Dropout(0.2, seed=1), layers.Dense(12)])
    model.layers[-1].set_weights([np.eye(12), np.zeros(12)])
    model.compile(keras.optimizers.Adam(1e-2), "mse", **options)
    return model


def state(keras, model):
    variables = model.variables + model.optimizer.variables
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture
def plan(backend):
    """The plan that compiles fastest."""
    return "eager" if backend == "torch" else "step"


@pytest.fixture
def fit(plan, x):
    """Function that trains by one plan and returns the losses."""
    x = x[:64]

    def run(model, **options):
        given = {"batch_size": 16, "verbose": 0, "plan": plan, **options}
        return ae_multi.fit(model, x, x, **given).history["loss"]

    return run


def test_calls_of_one_epoch_equal_one_call_bit_for_bit(keras, fit):
    reference = network(keras)
    losses = fit(reference, epochs=6)
    one_by_one, in_parts, numbered = (network(keras) for _ in range(3))
    assert [loss for _ in range(6) for loss in fit(one_by_one)] == losses
    assert fit(in_parts, epochs=4) + fit(in_parts, initial_epoch=4, epochs=6) == losses
    assert fit(numbered) + fit(numbered) + fit(numbered, initial_epoch=2, epochs=6) == losses
    for model in (one_by_one, in_parts, numbered):
        assert_same(state(keras, model), state(keras, reference))
    assert epochs_of(reference).trained == epochs_of(one_by_one).trained == 6


class Orders:
    """A model that records the order of samples in eager trainings."""

    def __init__(self, keras):
        x = np.arange(N, dtype=np.float32)[:, None]
        seen = self.seen = []

        class Noting(keras.Sequential):
            def train_step(self, *arguments):  # on JAX the state comes first
                x = keras.ops.convert_to_numpy(arguments[-1][0])
                seen.extend(x[:, 0].astype(int).tolist())
                return super().train_step(*arguments)

        self.x, self.model = x, Noting([keras.Input((1,)), keras.layers.Dense(1)])
        self.model.compile("sgd", "mse", run_eagerly=True)

    def __call__(self, **options):
        """Train with seed 0; return the number of each epoch's order."""
        self.seen.clear()
        ae_multi.fit(self.model, self.x, self.x, batch_size=8, verbose=0, **options)
        known = [permutation(0, epoch, N).tolist() for epoch in range(30)]
        return [known.index(self.seen[begin : begin + N]) for begin in range(0, len(self.seen), N)]


def test_batch_orders_continue_over_calls(keras):
    orders = Orders(keras)
    assert orders(epochs=3) == [0, 1, 2]
    assert orders() == [3]
    assert orders(epochs=2) == [4, 5]
    # Epochs are numbered as in the previous call, whose epoch 0 had order 4.
    assert orders(initial_epoch=2, epochs=4) == [6, 7]
    assert orders(initial_epoch=1, epochs=2) == [5]
    # The initial epoch is the number of all epochs before.
    assert orders(initial_epoch=6, epochs=8) == [6, 7]
    orders.model.compile("adam", "mse", run_eagerly=True)
    assert orders() == [8]
    assert Orders(keras)(initial_epoch=5, epochs=6) == [5]
    copy = Orders(keras)
    copy.model.set_weights(orders.model.get_weights())
    assert copy() == [0]


def test_interrupted_epoch_is_not_counted(keras):
    class Break(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise InterruptedError

    orders = Orders(keras)
    orders(epochs=2)
    with pytest.raises(InterruptedError):
        orders(callbacks=[Break()])
    assert orders() == [2]


def test_batch_orders_continue_in_a_saved_model(plan, small, tmp_path):
    model = ae_multi.SimpleAutoencoder(4, (8, 8, 1), seed=2)
    model.compile()
    model.save(tmp_path / "begin.keras")
    model.fit(small, epochs=2, verbose=0, plan=plan)
    model.fit(small, epochs=1, verbose=0, plan=plan)
    model.save(tmp_path / "model.keras")
    again = ae_multi.load_model(tmp_path / "model.keras")
    assert epochs_of(again) == epochs_of(model) == Epochs(2, 3)
    losses = [each.fit(small, verbose=0, plan=plan).history["loss"] for each in (model, again)]
    assert losses[0] == losses[1]
    assert epochs_of(ae_multi.load_model(tmp_path / "begin.keras")) == Epochs()


def test_checkpoints_store_the_epoch_count(keras, fit, tmp_path):
    class Break(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise InterruptedError

    reference = network(keras)
    fit(reference, epochs=3)
    fit(reference, epochs=4)
    broken, again = network(keras), network(keras)
    fit(broken, epochs=3)
    with pytest.raises(InterruptedError):
        fit(broken, epochs=4, checkpoint=tmp_path, checkpoint_every="2 steps", callbacks=[Break()])
    # The checkpoint contains the count of the previous epochs.
    fit(again, epochs=4, checkpoint=tmp_path, resume=True)
    assert_same(state(keras, again), state(keras, reference))
    assert epochs_of(again) == epochs_of(reference) == Epochs(3, 7)
    assert fit(again) == fit(reference)


def test_checkpoint_of_an_older_version_is_read(keras, fit, tmp_path):
    from ae_multi.checkpoints.folder import FORMAT

    reference, again = network(keras), network(keras)
    fit(reference, epochs=4)
    fit(network(keras), epochs=2, checkpoint=tmp_path)
    for path in tmp_path.glob("*.checkpoint"):
        manifest, parts = FORMAT.read(path)
        del manifest["parts"]
        assert manifest.pop("offset") == 0
        FORMAT.write(path, manifest, parts)
    fit(again, epochs=4, checkpoint=tmp_path, resume=True)
    assert_same(state(keras, again), state(keras, reference))


@pytest.mark.once
def test_estimators_are_reproducible():
    x = np.random.default_rng(0).random((40, 6))
    made = ae_multi.AutoencoderTransformer(
        "simple", latent_dim=2, epochs=2, random_state=0, schedule=None
    )
    once = made.fit(x).loss_curve_
    assert made.fit(x).loss_curve_ == once
    # Each call of `partial_fit` and each chunk uses the order of its epoch.
    assert made.fit_chunks([x]).loss_curve_ == once
    del made.network_
    for _ in range(2):
        made.partial_fit(x)
    assert made.loss_curve_ == once
    assert epochs_of(made.network_).trained == 2
    chunks = made.fit_chunks([x[:20], x[20:]])
    assert epochs_of(chunks.network_).trained == 2
