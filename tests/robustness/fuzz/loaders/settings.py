"""Loaders of settings and results in JSON."""

import contextlib
import json
import os

from tests.robustness.fuzz.loaders.loader import Loader


def _plans():
    facts = {"step": {"scan": 0.1, "whole": 0.2}, "build": {"scan": 1.5, "whole": 3.0},
             "failed": ["capture"]}  # fmt: skip
    return {"plans": lambda path: path.write_text(json.dumps({"one": facts, "two": facts}))}


def _load_plans(path):
    from ae_multi.training import plan_cache

    path.rename(path.with_name("plans.json"))
    plan_cache._here.clear()
    with _environment(AE_MULTI_CACHE=str(path.parent)):
        for key in ("one", "two"):
            facts = plan_cache.recall(key)
            assert isinstance(facts, dict)
            assert all(value >= 0 for value in facts.get("step", {}).values())


def _settings():
    config = {"backend": "torch", "floatx": "float32", "epsilon": 1e-07}
    return {"settings": lambda path: path.write_text(json.dumps(config))}


def _load_settings(path):
    from ae_multi.backend_selection import _keras_default
    from ae_multi.errors import BackendError, InputError

    path.rename(path.with_name("keras.json"))
    with _environment(KERAS_HOME=str(path.parent)):
        try:
            assert _keras_default() in ("torch", "tensorflow", "jax", "numpy", "openvino")
        except BackendError as error:  # as valid as an `InputError`: it lists the backends
            raise InputError(str(error)) from error


def _results():
    runs = [{"row": "odds", "seed": seed, "value": 0.8} for seed in range(3)]
    return {"results": lambda path: path.write_text(json.dumps({"machine": {}, "runs": runs}))}


def _load_results(path):
    from benchmarks.command import recorded_before

    assert all(isinstance(run, dict) for run in recorded_before(path, "runs"))


@contextlib.contextmanager
def _environment(**values):
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


LOADERS = {
    "plans": Loader(".json", _plans, _load_plans),
    "settings": Loader(".json", _settings, _load_settings),
    "results": Loader(".json", _results, _load_results),
}
