"""Training loops that are timed in turns."""

import itertools
import math

import numpy as np
import pytest

import ae_multi

pytestmark = [
    pytest.mark.backend,
    # PyTorch emits this warning when its compiler is first imported.
    pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning"),
]

RATE = 1e-3
ONE = itertools.repeat(1)


@pytest.fixture
def contenders(keras, monkeypatch):
    """Return a function that makes contenders for a tiny network.

    Each model has the next seed of the iterator ``seeds``.
    """
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
    trained, turns = contenders(), []
    train = trained.train
    trained.train = lambda name, epochs: turns.append(name) or train(name, epochs)
    names = ("native", "ours", "keras.fit")
    rates = trained.compare(names, repeats=2)
    assert turns == [*names, *names, "ours", "keras.fit", "native"]  # once more, to compile
    assert all(math.isfinite(rates[name]) and rates[name] > 0 for name in names)
