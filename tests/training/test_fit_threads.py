"""Training, prediction and evaluation in threads equal those in sequence."""

import sys
import threading

import numpy as np
import pytest

import ae_multi
from tests.reference.step_models import dense

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("plans_file")]


@pytest.fixture
def switching():
    """Switch threads a hundred times as often as by default."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-5)
    yield
    sys.setswitchinterval(before)


def in_threads(jobs):
    """Run functions in threads; return their results or errors."""
    found = [None] * len(jobs)

    def run(place):
        try:
            found[place] = jobs[place]()
        except BaseException as error:
            found[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def models(keras, count):
    made = [dense(keras) for _ in range(count)]
    for place, model in enumerate(made):
        for weight in model.trainable_variables:
            rng = np.random.default_rng((place, weight.shape[0]))
            weight.assign(rng.normal(0, 0.3, weight.shape))
        model.compile(keras.optimizers.Adam(1e-2), "mse", metrics=["mae"])
    return made


@pytest.mark.slow
def test_models_train_identically_in_threads(keras, switching, x):
    def job(model):
        losses = ae_multi.fit(model, x, x, 14, epochs=2, verbose=0).history["loss"]
        score = ae_multi.evaluate(model, x, x, 14, verbose=0)
        return [*losses, *score, ae_multi.predict(model, x, 7).tolist()]

    together = in_threads([lambda model=model: job(model) for model in models(keras, 8)])
    one_by_one = [job(model) for model in models(keras, 8)]
    for found, expected in zip(together, one_by_one, strict=True):
        assert found == expected


def test_one_model_predicts_in_threads(keras, switching, x):
    (model,) = models(keras, 1)
    parts = [x[: 28 + 7 * (place % 3)] for place in range(8)]
    found = in_threads([lambda part=part: ae_multi.predict(model, part, 3) for part in parts])
    for part, outputs in zip(parts, found, strict=True):
        np.testing.assert_allclose(outputs, model.predict(part, verbose=0), rtol=2e-6, atol=1e-6)
