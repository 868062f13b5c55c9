"""Selection of the plan that runs a training, by timings of bounded length that are cached.

A plan is one of the backend's ways to run steps. Every plan computes the same steps to rounding,
so the choice affects only the speed. Plans are timed before the first step of the training, and
the state is restored after each trial. So one plan runs all steps of a training, and repeated
trainings with the same plan are bit-identical.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi._keras_internals import compile_config, flatten_layers
from ae_multi.backends.reachable import Reachable
from ae_multi.errors import InputError, WorkerError
from ae_multi.training import plan_cache
from ae_multi.training.plan_trial import TIMING_SECONDS, Trial

# A plan is tried if building it is expected to take at most this fraction of the training time,
# which is lost if the plan turns out to be slower. TensorFlow's XLA is never slower where it is
# offered, and saves 25 % of the time of a small network's steps and 65 % of a deep network's.
# PyTorch's eager steps are never faster than recorded ones: they run where recording fails.
_MAX_BUILD_SHARE = 0.15
_MAX_BUILD_SHARES = {"loop-xla": 0.6, "eager": 0.0}
# Plans are not compared for a training that takes less than _MIN_SECONDS. A timing takes
# _TIMING_SHARE of the training, within the bounds (min, max) in `TIMING_SECONDS`; longer timings
# are more reliable.
_MIN_SECONDS = 1.0
_TIMING_SHARE = 0.002

_log = logging.getLogger("ae_multi")


@dataclass(frozen=True)
class Plan:
    """The plan that ran a training, with the reason and the measurements.

    Attributes:
        name: the backend's name of the plan, or "keras" for Keras's own `fit`.
        why: the reason, as text.
        seconds_per_step: dict of plan name to measured time; empty if no plans were compared.
        seconds_to_build: dict of plan name to the time of its first step, including compilation.
    """

    name: str
    why: str
    seconds_per_step: dict[str, float]
    seconds_to_build: dict[str, float]


def choose(
    make: Callable[[str], Any],
    model: keras.Model,
    device_data: Any,
    indices: np.ndarray,
    steps: int,
    requested: str | None = None,
    before: str | None = None,
) -> tuple[Any, Plan]:
    """Choose the fastest plan for a training of ``steps`` steps.

    Args:
        make: function of a plan's name that returns the backend's `Steps`.
        model: a compiled and built Keras model.
        device_data: the data on the device.
        indices: int32 (steps, batch), the batches for timing.
        steps: number of steps of the training.
        requested: name of the plan to use, or None to choose.
        before: name of the plan that ran the training before it was resumed, or None.

    Returns:
        (the backend's `Steps`, `Plan`).

    Raises:
        InputError: a plan that the backend does not have.
    """
    known = dict(backends.current().plans(model))
    if requested is not None:
        if requested not in known:
            raise InputError(
                f"Expected plan to be one of {', '.join(known)}, or 'keras'. "
                f"Received: {requested!r}."
            )
        return make(requested), Plan(requested, "requested", {}, {})
    if before is not None and before in known:
        return make(before), Plan(before, "the resumed training began with this plan", {}, {})
    if len(known) == 1:  # no choice, so no trial
        (name,) = known
        return make(name), Plan(name, "the only plan for this model", {}, {})
    key = _key(model, device_data, indices.shape[1])
    cached = plan_cache.recall(key)
    reachable = Reachable(model)
    why_not = _why_no_trial(reachable)
    if why_not is not None:
        first = min(known, key=lambda name: name in cached.get("failed", ()))
        return make(first), Plan(first, f"plans are not compared: {why_not}", {}, {})
    trial = Trial(make, indices, cached, backends.current().snapshot(reachable))
    expected = _seconds_to_build(known)
    # Plans that failed before are tried last, so that their error is raised if no plan works.
    untried = iter(sorted(known, key=lambda name: name in trial.failed))
    best = next((name for name in untried if trial.works(name)), None)
    if best is None:
        raise trial.error
    names = [name for name in untried if name not in trial.failed]
    if best not in trial.step and not any(
        name in trial.step or _is_worth_trying(name, expected[name], steps * trial.once)
        for name in names
    ):
        if trial.failed:
            plan_cache.remember(key, {**cached, "failed": sorted(trial.failed)})
        return make(best), Plan(best, "the training is too short to compare plans", {}, {})
    trial.compare(best)
    for name in names:
        if name not in trial.step:
            left = steps * trial.step[best]
            if not _is_worth_trying(name, expected[name], left):
                continue
            # Another process may have slowed down the first timing.
            left = steps * trial.time_again(best)
            if not _is_worth_trying(name, expected[name], left) or not trial.works(name):
                continue
            trial.compare(best, name, seconds=_seconds_to_time(left))
        best = min(best, name, key=lambda plan: trial.seconds(plan, steps))
    facts = {"step": trial.step, "build": trial.build, "failed": sorted(trial.failed)}
    plan_cache.remember(key, facts)
    _learn(known, {name: trial.build[name] for name in trial.built})
    return make(best), Plan(best, trial.why(known), trial.step, trial.build)


def choose_for_workers(
    make: Callable[[str], Any],
    model: keras.Model,
    check: Callable[[Any], None],
    requested: str | None = None,
    before: str | None = None,
) -> tuple[Any, Plan]:
    """Choose the plan of a training in a group of workers, without timings.

    Args:
        make: function of a plan's name that returns the backend's `Steps`.
        model: a compiled and built Keras model.
        check: function that runs a step of `Steps` and raises an error if its results are wrong.
        requested: name of the plan to use, or None for the first that works.
        before: name of the plan that ran the training before it was resumed, or None.

    Returns:
        (the backend's `Steps`, `Plan`).

    Raises:
        InputError: a plan that the backend cannot split over workers, or wrong results.
    """
    known = backends.current().worker_plans(model)
    if requested is not None and requested not in known:
        raise InputError(
            f"Expected plan to be one of {', '.join(known)} in a group of workers. "
            f"Received: {requested!r}."
        )
    names, why = known, "the backend's plan for workers"
    if requested is not None:
        names, why = [requested], "requested"
    elif before in known:
        names, why = [before], "the resumed training began with this plan"
    for name in names:
        steps = make(name)
        try:
            check(steps)
        except (InputError, WorkerError):
            raise
        except Exception as error:  # a compiler can raise any error for an unsupported model
            if name == names[-1]:
                raise
            _log.debug("The plan %s cannot run this model: %s", name, error)
        else:
            return steps, Plan(name, why, {}, {})
    raise InputError("Expected a model that a plan can split over workers. Received: another one.")


def _is_worth_trying(name: str, seconds: float, left: float) -> bool:
    """Return whether a training of ``left`` seconds is long enough to try a plan.

    Args:
        name: name of the plan.
        seconds: expected time to build the plan.
        left: time that the training takes by the best plan so far, in seconds.
    """
    seconds += 4 * _seconds_to_time(left)
    return left >= _MIN_SECONDS and seconds < _MAX_BUILD_SHARES.get(name, _MAX_BUILD_SHARE) * left


def _seconds_to_time(left: float) -> float:
    """Return the seconds of one timing, for a training of ``left`` seconds."""
    return float(np.clip(_TIMING_SHARE * left, *TIMING_SECONDS))


def _seconds_to_build(known: Mapping[str, float]) -> dict[str, float]:
    """Return the expected build times, corrected by the ratios that `_learn` has stored.

    Args:
        known: dict of plan name to the backend's estimate, in seconds.
    """
    ratios = plan_cache.recall(_machine_key()).get("build", {})
    return {name: seconds * ratios.get(name, 1.0) for name, seconds in known.items()}


def _learn(known: Mapping[str, float], built: Mapping[str, float]) -> None:
    """Store the ratios of measured to estimated build times in the cache.

    A ratio above the stored one replaces it. For a lower one the mean of both is stored, because
    the framework may have reused part of a program from an earlier process.

    Args:
        known: dict of plan name to the backend's estimate, in seconds.
        built: dict of plan name to the measured time, in seconds.
    """
    ratios = dict(plan_cache.recall(_machine_key()).get("build", {}))
    for name, seconds in built.items():
        if 0 < known[name] < np.inf:
            ratio = seconds / known[name]
            ratios[name] = max(ratio, (ratio + ratios.get(name, ratio)) / 2)
    if ratios:
        plan_cache.remember(_machine_key(), {"step": {}, "build": ratios, "failed": []})


def _why_no_trial(reachable: Reachable) -> str | None:
    """Return the reason why the state after trial steps could not be restored, or None."""
    if reachable.unknown:
        return f"the state of {reachable.unknown[0]} cannot be restored"
    if reachable.is_unbuilt:
        return "the first step creates variables"
    return None


def _key(model: keras.Model, device_data: Any, batch_size: int) -> str:
    """Return the key of a training in the cache of times.

    It depends on the classes, dtypes and settings of the layers, the shapes of the variables, what
    the model is compiled with, the data's signature, the batch size, the backend, its device and
    the versions.
    """
    layers = [
        (type(layer).__name__, layer.compute_dtype, _settings(layer))
        for layer in flatten_layers(model)
    ]
    shapes = [tuple(variable.shape) for variable in model.variables]
    # Before they are built, metrics are listed by the arguments of `compile` alone.
    arguments = compile_config(model)
    parts = [getattr(model, "loss", None), *map(arguments.get, ("metrics", "weighted_metrics"))]
    compiled = [_name(part) for part in (model.optimizer, *keras.tree.flatten(parts))]
    compiled.append(str(model.jit_compile))
    return _digest(layers, shapes, compiled, device_data.signature, batch_size)


def _settings(layer: keras.layers.Layer) -> list[tuple[str, Any]]:
    """Return the numbers and names in a layer's config, such as its strides and its activation."""
    if isinstance(layer, keras.Model):  # its layers have settings of their own
        return []
    try:
        config = layer.get_config()
    except Exception:  # a custom layer may define none
        return []
    simple = int | float | str | None
    return [
        (key, value)
        for key, value in sorted(config.items())
        if key != "name"
        and all(
            isinstance(part, simple)
            for part in (value if isinstance(value, list | tuple) else [value])
        )
    ]


def _name(part: Any) -> str:
    """Return the name of a loss, a metric or an optimizer, which is the same in each process."""
    return part if isinstance(part, str) else getattr(part, "__name__", type(part).__name__)


def _machine_key() -> str:
    """Return the key of the build times of all models in the cache of times."""
    return _digest()


def _digest(*facts: Any) -> str:
    """Return the digest of ``facts``, the backend, its device and the versions."""
    backend = backends.current()
    versions = backend.version(), keras.__version__
    facts = (keras.config.backend(), *versions, backend.device(), *facts)
    return hashlib.blake2b(repr(facts).encode(), digest_size=16).hexdigest()


def by_keras(why: str, warn: bool = True, method: str = "fit") -> Plan:
    """Return the `Plan` of Keras's own ``method``, and log each reason once.

    Args:
        why: the reason, as text.
        warn: whether to log it.
        method: "fit", "evaluate" or "predict".
    """
    if warn and (method, why) not in _logged_reasons:
        _logged_reasons.add((method, why))
        verb = {"fit": "Training", "evaluate": "Evaluating", "predict": "Predicting"}[method]
        _log.warning("%s with Keras's own %s: %s.", verb, method, why)
    return Plan("keras", why, {}, {})


_logged_reasons: set[tuple[str, str]] = set()  # (method, reason)
