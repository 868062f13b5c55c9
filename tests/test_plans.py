"""Plans of a training: what is measured, what is remembered, and what a plan that fails does."""

import json

import pytest

import ae_multi
from tests.reference.step_models import autoencoder

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("plans_file")]


@pytest.mark.parametrize(
    "facts",
    [
        {"step": {"scan": "fast"}, "build": {"scan": 1.0}, "failed": []},
        {"step": {"scan": -1.0}, "build": {"scan": 1.0}, "failed": []},
        {"step": {"scan": 1.0}, "build": {}, "failed": []},
        {"step": {}, "build": {}, "failed": [1]},
        {"step": "scan"},
        ["scan"],
    ],
)
def test_what_somebody_else_wrote_into_the_cache_is_left_alone(facts, plans_file, monkeypatch):
    from ae_multi.training import plan_cache

    monkeypatch.setattr(plan_cache, "_here", {})
    plans_file.parent.mkdir()
    plans_file.write_text(json.dumps({"key": facts}))
    assert plan_cache.recall("key") == {}
    sound = {"step": {"scan": 1.0}, "build": {"scan": 2}, "failed": ["step"]}
    plans_file.write_text(json.dumps({"key": sound}))
    assert plan_cache.recall("key") == sound


def test_plans_are_measured_and_remembered(keras, x, plans_file, monkeypatch):
    from ae_multi.training import plan, plan_cache

    monkeypatch.setattr(plan, "_MIN_SECONDS", 0.0)
    monkeypatch.setattr(plan_cache, "_here", {})
    first = ae_multi.fit(autoencoder(keras), x, x, verbose=0).plan
    assert first.name in first.seconds_per_step
    assert "ms a step" in first.why
    (facts,) = json.loads(plans_file.read_text()).values()
    assert facts["step"] == first.seconds_per_step
    # What the file says decides the next time, in a process that has measured nothing.
    monkeypatch.setattr(plan_cache, "_here", {})
    assert ae_multi.fit(autoencoder(keras), x, x, verbose=0).plan == first


@pytest.mark.once
@pytest.mark.parametrize(("epochs", "expected"), [(3, "soon"), (5, "fast")])
def test_measured_plans_are_compared_by_the_whole_training(keras, x, monkeypatch, epochs, expected):
    from ae_multi import backends
    from ae_multi.training import plan_cache

    module, made = backends.current(), []

    class Steps(module.Steps):
        def __init__(self, model, device_data, plan, *rest):
            made.append(plan)
            super().__init__(model, device_data, plan, *rest)

    monkeypatch.setattr(module, "Steps", Steps)
    monkeypatch.setattr(module, "plans", lambda model: [("soon", 0.0), ("fast", 0.0)])
    # Three steps an epoch: the faster plan takes back 3 s an epoch of the 10 s to build it.
    facts = {"step": {"soon": 2.0, "fast": 1.0}, "build": {"soon": 0.0, "fast": 10.0}}
    monkeypatch.setattr(plan_cache, "recall", lambda key: {**facts, "failed": []})
    found = ae_multi.fit(autoencoder(keras), x, x, epochs=epochs, verbose=0)
    assert found.plan.name == expected
    assert set(made) == {expected}  # no other one was built to find that out


def test_a_plan_that_fails_is_not_tried_again(keras, x, monkeypatch):
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


def test_a_cache_that_cannot_be_used_does_no_harm(keras, x, plans_file, monkeypatch):
    from ae_multi.training import plan, plan_cache

    monkeypatch.setattr(plan, "_MIN_SECONDS", 0.0)
    for ruin in ("not a folder", "no json"):
        monkeypatch.setattr(plan_cache, "_here", {})
        if ruin == "no json":
            plans_file.parent.unlink()
            plans_file.parent.mkdir()
            plans_file.write_text("{")
        else:
            plans_file.parent.write_text("a file where the folder should be")
        assert ae_multi.fit(autoencoder(keras), x, x, verbose=0).plan.seconds_per_step
