"""Selection of a plan: timings, the cache, and plans that fail."""

import json
import math
import time
from types import SimpleNamespace

import numpy as np
import pytest

import ae_multi
from tests.reference.step_models import autoencoder

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("plans_file")]


def test_measured_times_are_cached(keras, x, plans_file, monkeypatch):
    from ae_multi.training import plan, plan_cache

    monkeypatch.setattr(plan, "_is_worth_trying", lambda name, seconds, left: seconds < 5)
    monkeypatch.setattr(plan_cache, "_here", {})
    first = ae_multi.fit(autoencoder(keras), x, x, verbose=0).plan
    assert first.name in first.seconds_per_step
    assert "ms a step" in first.why
    entries = json.loads(plans_file.read_text()).values()
    assert first.seconds_per_step in [facts["step"] for facts in entries]
    # A new process uses the timings of the file.
    monkeypatch.setattr(plan_cache, "_here", {})
    second = ae_multi.fit(autoencoder(keras), x, x, verbose=0).plan
    assert second.seconds_per_step == first.seconds_per_step
    # A plan that compiles faster may be better for so few steps.
    assert second.name in first.seconds_per_step


def test_short_trainings_do_not_write_the_cache(keras, x, plans_file, monkeypatch):
    from ae_multi.training import plan_cache

    monkeypatch.setattr(plan_cache, "_here", {})
    model = autoencoder(keras)
    for _ in range(2):
        ae_multi.fit(model, x, x, verbose=0)
    assert not plans_file.exists()


@pytest.mark.once
def test_times_are_cached_for_equal_settings_only(keras):
    from ae_multi.training.plan import _key

    def key(activation="relu", loss="mse", strides=1, metrics=(), name=None):
        layers = keras.layers
        model = keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                layers.Conv2D(2, 3, strides, "same", activation=activation, name=name),
            ]
        )
        model.compile("adam", loss, metrics=list(metrics))
        return _key(model, SimpleNamespace(signature="images"), 32)

    assert key() == key(name="another") == key(loss="mse", metrics=[])
    different = [key(), key("tanh"), key(loss="mae"), key(strides=2), key(metrics=["mae"])]
    assert len(set(different)) == 5


@pytest.mark.once
def test_build_times_of_other_models_correct_the_estimate(keras, x, monkeypatch):
    from ae_multi import backends
    from ae_multi.training import plan, plan_cache

    monkeypatch.setattr(plan_cache, "_here", {})
    known = {"compiled": 10.0, "never": math.inf}
    plan._learn(known, {"compiled": 35.0})
    assert plan._seconds_to_build(known) == {"compiled": 35.0, "never": math.inf}
    plan._learn(known, {"compiled": 15.0})  # with the compilation cache of the framework
    monkeypatch.setattr(plan_cache, "_here", {})  # as in another process
    assert plan._seconds_to_build(known) == {"compiled": 25.0, "never": math.inf}

    # A training that may spend 10 s on compilation does not spend 25 s.
    module, made = backends.current(), []
    (plain,) = [name for name, _ in module.plans(autoencoder(keras)) if name == "eager"]

    class Steps(module.Steps):
        def __init__(self, model, device_data, plan, *rest):
            made.append(plan)
            super().__init__(model, device_data, plain, *rest)

    monkeypatch.setattr(module, "Steps", Steps)
    monkeypatch.setattr(module, "plans", lambda model: [(plain, 0.0), ("compiled", 10.0)])

    class Trial(plan.Trial):  # reports one second for each step
        def works(self, name):
            works, self.once = super().works(name), 1.0
            return works

        def compare(self, *names, seconds=0.0):
            self.step.update(dict.fromkeys(names, 1.0))

        def time_again(self, name):
            return self.step[name]

    monkeypatch.setattr(plan, "Trial", Trial)
    for share, tried in ((10.5, False), (26.0, True)):
        monkeypatch.setattr(plan, "_MAX_BUILD_SHARE", share / 30)
        ae_multi.fit(autoencoder(keras), x, x, epochs=10, verbose=0)  # 30 steps of a second
        assert ("compiled" in made) == tried


@pytest.mark.once
def test_eager_steps_are_not_compared_with_recorded_steps(keras):
    from ae_multi.training import plan

    assert plan._is_worth_trying("graph", 0.0, 1e5)
    assert not plan._is_worth_trying("eager", 0.0, 1e5)


@pytest.mark.once
def test_one_delayed_step_does_not_justify_compilation(keras, x, monkeypatch):
    from ae_multi import backends
    from ae_multi.training import plan, plan_cache

    monkeypatch.setattr(plan_cache, "_here", {})
    module, made = backends.current(), []

    class Steps(module.Steps):
        def __init__(self, model, device_data, plan, *rest):
            made.append(plan)
            super().__init__(model, device_data, "eager", *rest)
            self.plan = plan

    class Trial(plan.Trial):  # reports a first timing that is too long
        def compare(self, *names, seconds=0.0):
            self.step.update(dict.fromkeys(names, 100.0))

        def works(self, name):
            works, self.once = super().works(name), 100.0
            return works

    monkeypatch.setattr(plan, "Trial", Trial)
    monkeypatch.setattr(module, "Steps", Steps)
    monkeypatch.setattr(module, "plans", lambda model: [("soon", 0.0), ("compiled", 5.0)])
    ae_multi.fit(autoencoder(keras), x, x, epochs=3, verbose=0)
    assert set(made) == {"soon"}


@pytest.mark.once
@pytest.mark.parametrize(("epochs", "expected"), [(3, "soon"), (5, "fast")])
def test_plans_are_compared_by_total_time(keras, x, monkeypatch, epochs, expected):
    from ae_multi import backends
    from ae_multi.training import plan_cache

    module, made = backends.current(), []

    class Steps(module.Steps):
        def __init__(self, model, device_data, plan, *rest):
            made.append(plan)
            super().__init__(model, device_data, plan, *rest)

    monkeypatch.setattr(module, "Steps", Steps)
    monkeypatch.setattr(module, "plans", lambda model: [("soon", 0.0), ("fast", 0.0)])
    # With three steps an epoch, the faster plan saves 3 s an epoch and takes 10 s to build.
    facts = {"step": {"soon": 2.0, "fast": 1.0}, "build": {"soon": 0.0, "fast": 10.0}}
    monkeypatch.setattr(plan_cache, "recall", lambda key: {**facts, "failed": []})
    found = ae_multi.fit(autoencoder(keras), x, x, epochs=epochs, verbose=0)
    assert found.plan.name == expected
    assert set(made) == {expected}  # no other plan was built


@pytest.mark.once
def test_time_of_a_step_excludes_restoring_the_state(keras):
    from ae_multi.training import plan

    class Steps:
        def run(self, indices):
            pass

    class Snapshot:
        def restore(self):
            time.sleep(0.5)

    trial = plan.Trial(lambda name: Steps(), np.zeros((2, 4), np.int32), {}, Snapshot())
    assert trial.works("plain")
    assert trial.once < 0.25


def test_plan_that_fails_is_not_tried_again(keras, x, monkeypatch):
    from ae_multi import backends
    from ae_multi.training import plan_cache

    monkeypatch.setattr(plan_cache, "_here", {})
    module, tried = backends.current(), []
    works = module.plans(autoencoder(keras))[0][0]

    class Steps(module.Steps):
        def __init__(self, model, device_data, plan, *rest):
            tried.append(plan)
            if plan == "broken":
                raise RuntimeError("no such instruction")
            super().__init__(model, device_data, plan, *rest)

    monkeypatch.setattr(module, "Steps", Steps)
    monkeypatch.setattr(module, "plans", lambda model: [("broken", 0.0), (works, 0.0)])
    assert ae_multi.fit(autoencoder(keras), x, x, verbose=0).plan.name == works
    assert tried.count("broken") == 1
    ae_multi.fit(autoencoder(keras), x, x, verbose=0)
    assert tried.count("broken") == 1
    monkeypatch.setattr(module, "plans", lambda model: [("broken", 0.0)])
    with pytest.raises(RuntimeError, match="no such instruction"):
        ae_multi.fit(autoencoder(keras), x, x, verbose=0)


def test_unusable_cache_is_ignored(keras, x, plans_file, monkeypatch):
    from ae_multi.training import plan, plan_cache

    monkeypatch.setattr(plan, "_is_worth_trying", lambda name, seconds, left: seconds < 5)
    for fault in ("not a folder", "not json"):
        monkeypatch.setattr(plan_cache, "_here", {})
        if fault == "not json":
            plans_file.parent.unlink()
            plans_file.parent.mkdir()
            plans_file.write_text("{")
        else:
            plans_file.parent.write_text("a file where the folder should be")
        assert ae_multi.fit(autoencoder(keras), x, x, verbose=0).plan.seconds_per_step
