"""The benchmarks: loops by hand equal Keras's training, and the arithmetic is counted right."""

import functools
import itertools
import math

import numpy as np
import pytest

import ae_multi

pytestmark = [
    pytest.mark.backend,
    # Raised within PyTorch, where its compiler is first asked for.
    pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning"),
]

RATE = 1e-3
ONE = itertools.repeat(1)


def networks():
    """(model, samples): dense and convolutional, with one channel and with several."""
    draw = np.random.default_rng(0).random
    return {
        "dense": (
            lambda: ae_multi.DeepAutoencoder((7, 5), 3, (4, 4, 1), seed=1),
            draw((60, 4, 4, 1), np.float32),
        ),
        "convolutional": (
            lambda: ae_multi.ConvAutoencoder((5, 3), 4, (8, 12, 2), seed=1),
            draw((60, 8, 12, 2), np.float32),
        ),
    }


@pytest.mark.parametrize("name", ["dense", "convolutional"])
def test_loops_by_hand_train_as_keras_does(name, keras, backend):
    from benchmarks.contenders import _loop, native

    make, x = networks()[name]
    order = np.arange(60, dtype=np.int32).reshape(6, 10)
    model = make()
    model.compile(keras.optimizers.Adam(RATE), "mse")
    expected = []
    for rows in order:
        model.reset_metrics()  # or it reports the mean over the steps so far
        expected.append(float(model.train_on_batch(x[rows], x[rows])))
    for way in _loop().WAYS:
        if name == "dense" or way != "xla":
            losses = native(make(), x, way)(order)
            np.testing.assert_allclose(losses, expected, rtol=3e-6, err_msg=way)


def test_captured_loops_by_hand_train_as_others_do(keras, backend, monkeypatch):
    if backend != "torch":
        pytest.skip("CUDA graphs are PyTorch's to be made by hand")
    from benchmarks.contenders import native
    from tests.reference import cuda_graphs

    make, x = networks()["dense"]
    order = np.arange(60, dtype=np.int32).reshape(30, 2)
    expected = native(make(), x, "eager")(order)
    cuda_graphs.pretend(monkeypatch)
    losses = native(make(), x, "graph")(order)
    np.testing.assert_allclose(losses, expected, rtol=3e-6)
    assert cuda_graphs.Graph.replays == 1 + 14  # sixteen steps, and those that are left


def test_what_no_loop_by_hand_knows_is_refused(keras):
    from benchmarks.native.description import describe

    model = ae_multi.ConvAutoencoder((4,), 3, (9, 9, 1))  # odd sides are cropped
    with pytest.raises(ValueError, match="even sides"):
        describe([*model.encoder.layers, *model.decoder.layers])


def test_the_arithmetic_of_a_step(monkeypatch):
    from benchmarks import limits

    monkeypatch.setattr(limits, "_product_rate", lambda: 1e9)
    monkeypatch.setattr(limits, "_bandwidth", lambda size: 1e9)
    sizes = [784, 128, 64, 36, 18, 9, 18, 36, 64, 128, 784]
    products = [2 * a * b for a, b in itertools.pairwise(sizes)]
    found = limits.limits(ae_multi.DeepAutoencoder(), 128)
    assert found["reconstruct"]["flop"] == sum(products)
    assert found["encode"]["flop"] == sum(products[:5])
    # Forward, the weights' gradients, and the inputs' but for the first layer's.
    assert found["training"]["flop"] == 3 * sum(products) - products[0]
    assert found["reconstruct"]["bytes"] == 4 * sum(sizes)
    slower = max(sum(products), 4 * sum(sizes))
    assert found["reconstruct"]["samples_per_second"] == pytest.approx(1e9 / slower)


def test_the_arithmetic_of_convolutions(monkeypatch):
    from benchmarks import limits

    monkeypatch.setattr(limits, "_product_rate", lambda: 1e9)
    monkeypatch.setattr(limits, "_bandwidth", lambda size: 1e9)
    found = limits.limits(ae_multi.ConvAutoencoder((4, 6), 5, (8, 8, 2)), 16)
    down = 2 * 9 * (2 * 4 * 16 + 4 * 6 * 4)
    # A transposed convolution does the work of the convolution that it mirrors.
    assert found["encode"]["flop"] == down + 2 * 24 * 5
    assert found["reconstruct"]["flop"] == 2 * down + 2 * 2 * 24 * 5


@pytest.fixture
def contenders(keras, monkeypatch):
    """Contenders for a tiny network; given seeds, the models that are made have these in turn."""
    from benchmarks import contenders

    monkeypatch.setattr(contenders._loop(), "WAYS", contenders._loop().WAYS[:1])
    x = np.random.default_rng(0).random((30, 4, 4, 1), np.float32)

    def make(seeds=ONE):
        def compiled():
            model = ae_multi.SimpleAutoencoder(3, (4, 4, 1), seed=next(seeds))
            model.compile(keras.optimizers.Adam(RATE), "mse")
            return model

        return contenders.Contenders(compiled, x, 10)

    return make


def test_contenders_that_differ_are_not_timed(contenders):
    with pytest.raises(AssertionError, match="Not equal"):
        contenders(itertools.count())


def test_contenders_are_timed_in_turns(contenders):
    made, turns = contenders(), []
    train = made.train
    made.train = lambda name, epochs: turns.append(name) or train(name, epochs)
    names = ("native", "ours", "keras.fit")
    rates = made.compare(names, repeats=2)
    assert turns == [*names, *names, "ours", "keras.fit", "native"]  # once to compile
    assert all(math.isfinite(rates[name]) and rates[name] > 0 for name in names)


def test_outliers_in_tables_beside_floors_by_hand(tmp_path, monkeypatch):
    from scipy.io import savemat
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import train_test_split

    from benchmarks import odds

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(100, 8)), np.arange(100) % 10 == 0
    x[y] *= 1.5
    savemat(tmp_path / "pima.mat", {"X": x, "y": y[:, np.newaxis].astype(float)})
    monkeypatch.setattr(odds, "SETS", ("pima",))
    quick = functools.partial(ae_multi.AnomalyDetector, epochs=3)
    monkeypatch.setattr(odds, "AnomalyDetector", quick)
    found = odds.measure(tmp_path)["pima"]
    train, test, _, anomalous = train_test_split(
        x, y, test_size=0.4, random_state=np.random.RandomState(0)
    )
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    train, test = (train - mean) / deviation, (test - mean) / deviation
    distances = np.sort(np.linalg.norm(test[:, np.newaxis] - train, axis=2), axis=1)
    assert found["kNN-5"] == pytest.approx(roc_auc_score(anomalous, distances[:, 4]))
    tenth = np.square(distances[:, :6]).mean(axis=1)
    assert found["kNN n/10"] == pytest.approx(roc_auc_score(anomalous, tenth))
    parts = np.linalg.svd(train)[2][:2]
    residual = np.square(test - test @ parts.T @ parts).sum(axis=1)
    assert found["PCA d/4"] == pytest.approx(roc_auc_score(anomalous, residual))
    for name, kind in (("autoencoder", "manifold"), ("autoencoder, MSE", "mse")):
        ours = quick(criterion=kind, random_state=0).fit(train).anomaly_score(test)
        assert found[name] == pytest.approx(roc_auc_score(anomalous, ours), abs=1e-3)
    with pytest.raises(
        ae_multi.InputError, match=r"Expected the table\. Received: .*pima.mat, which is no file"
    ):
        odds.measure(tmp_path / "none")


@pytest.mark.once
def test_what_a_sample_costs_is_timed_in_turns(monkeypatch):
    from benchmarks import contenders, data_scaling

    taken = []

    def seconds(job):
        job()
        taken.append(job.args[0].size)
        return 1.0 if job.args[0].size == 256 else 3.0

    monkeypatch.setattr(contenders, "seconds", seconds)
    monkeypatch.setattr(contenders, "_CHOSEN", 1)
    found = data_scaling.measure(sizes=(300, 600), turns=2)
    assert taken[-4:] == [256, 512, 256, 512]  # whole batches of 128
    small, large = found["costs"]
    assert (small["samples"], large["samples"]) == (300, 600)
    assert small["steps"] == pytest.approx(1e9 / 256)
    assert large["steps"] == pytest.approx(3e9 / 512)
    for cost in (small, large):
        cost.update(order=2.0, to_the_device=5.0)
    (line,) = data_scaling.lines([found])
    backend, plan, *cells = line
    assert (backend, plan) == (found["backend"], found["plan"])
    assert cells == ["3,906,252", "5,859,377 (1.50 ×)", "5"]


@pytest.mark.once
def test_a_step_is_timed_by_each_plan_and_by_hand(monkeypatch):
    from benchmarks import contenders, steps

    monkeypatch.setattr(steps, "plans", lambda model: ["graph", "eager"])
    monkeypatch.setattr(contenders, "ways", lambda model: ["eager"])
    found = steps.measure("deep", steps=3, repeats=2)
    assert [*found["plans"]] == ["graph", "eager"]
    assert [*found["by_hand"]] == ["eager"]
    for measured in (*found["plans"].values(), *found["by_hand"].values()):
        assert measured["microseconds"] > 0
        assert measured["seconds_to_build"] >= 0
    found["plans"]["graph"] = {"microseconds": 1234.5, "seconds_to_build": 2.345}
    found["by_hand"]["eager"] = {"microseconds": 12.5}
    first, _, last = steps.lines({"results": [found]})
    assert first[3:] == ("plan: graph", "1,234", "2.3")
    assert last[3:] == ("by hand: eager", "12", "")


def test_each_precision_is_held_against_float64(monkeypatch, keras):
    from ae_multi import backends
    from benchmarks import contenders, precision

    monkeypatch.setattr(contenders, "_CHOSEN", 1)
    before = keras.config.dtype_policy().name
    found = precision.measure("simple", batch_size=64, samples=128, repeats=1)["precisions"]
    assert keras.config.dtype_policy().name == before
    assert ("TF32" in found) is not backends.current().device().startswith("cpu")
    assert found["float32"]["rms"] < 1e-6
    assert 1e-4 < found["bfloat16"]["rms"] < found["bfloat16"]["largest"] < 0.1
    for measured in found.values():
        assert measured["samples_per_second"] > 0
        assert measured["mse"] == pytest.approx(found["float32"]["mse"], rel=0.01)
