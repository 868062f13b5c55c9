"""Which plan runs a training: chosen by measurement, within a budget, and remembered.

A plan is a way to run steps, as the backend lists them. Every plan computes the same steps to
rounding, so the choice is one of speed alone. It is made before the first step that counts: what
is tried runs on a state that is put back, so that a training is one plan's from its first step to
its last, and repeats are the same to the bit.
"""

import hashlib
import logging
import time
from dataclasses import dataclass

import numpy as np

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi._keras_internals import flatten_layers
from ae_multi.backends.snapshot import Reachable
from ae_multi.errors import InputError
from ae_multi.training import plan_cache
from ae_multi.training.signals import defer_signals

# A plan that has to be compiled is tried where that may take at most this share of the training:
# what is lost if it turns out to be slower. TensorFlow's XLA never is where it is offered, and
# saves 25 % of a small network's steps and 65 % of a deep one's.
_MAX_BUILD_SHARE = 0.15
_MAX_BUILD_SHARES = {"loop-xla": 0.6}
# Plans of which one takes so many times as long as another need not be timed again.
_CLEAR_RATIO = 1.2
# Nothing is compared for a training that takes fewer seconds. A timing takes so many of them, at
# least and at most, and between them this part of the training: the longer, the surer.
_MIN_SECONDS = 1.0
_TIMING_SECONDS = 0.1, 1.0
_TIMING_SHARE = 0.002

_log = logging.getLogger("ae_multi")


@dataclass(frozen=True)
class Plan:
    """What ran a training and why.

    Attributes:
        name: as the backend calls it, or "keras" for Keras's own `fit`.
        why: the reason, for people.
        seconds_per_step: plan to what was measured; empty where there was nothing to choose.
        seconds_to_build: plan to the time that its first step took, compiling included.
    """

    name: str
    why: str
    seconds_per_step: dict
    seconds_to_build: dict


def choose(make, model, device_data, indices, steps, requested=None, before=None):
    """The fastest way to take ``steps`` steps.

    Args:
        make: function of a plan's name that returns the backend's `Steps`.
        model: a compiled and built Keras model.
        device_data: its data on the device.
        indices: int32 (steps, batch), batches to try plans on.
        steps: the number of steps that the training will take.
        requested: the name of a plan, or None to choose.
        before: the name of the plan that this training was begun with, or None.

    Returns:
        (`Steps`, `Plan`)

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
        return make(requested), Plan(requested, "asked for", {}, {})
    if before in known:
        return make(before), Plan(before, "the training was begun with it", {}, {})
    if len(known) == 1:  # nothing to choose, so no step is run to try it
        (name,) = known
        return make(name), Plan(name, "the only plan for this model", {}, {})
    key = _key(model, device_data, indices.shape[1])
    seen = plan_cache.recall(key)
    reachable = Reachable(model)
    why_not = _why_no_trial(reachable)
    if why_not is not None:
        first = min(known, key=lambda name: name in seen.get("failed", ()))
        return make(first), Plan(first, f"plans are not compared: {why_not}", {}, {})
    trial = _Trial(make, indices, seen, backends.current().snapshot(reachable))
    expected = _seconds_to_build(known)
    # What failed before is tried last: then its error is still told where nothing works.
    names = iter(sorted(known, key=lambda name: name in trial.failed))
    best = next((name for name in names if trial.works(name)), None)
    if best is None:
        raise trial.error
    names = [name for name in names if name not in trial.failed]
    if best not in trial.step and not any(
        name in trial.step or _is_worth_trying(name, expected[name], steps * trial.once)
        for name in names
    ):
        if trial.failed:
            plan_cache.remember(key, {**seen, "failed": sorted(trial.failed)})
        return make(best), Plan(best, "too short a training to compare plans", {}, {})
    trial.compare(best)
    for name in names:
        if name not in trial.step:
            left = steps * trial.step[best]
            if not _is_worth_trying(name, expected[name], left):
                continue
            # Another process may have held up the steps that were timed.
            left = steps * trial.time_again(best)
            if not _is_worth_trying(name, expected[name], left) or not trial.works(name):
                continue
            trial.compare(best, name, seconds=_seconds_to_time(left))
        best = min(best, name, key=lambda plan: trial.seconds(plan, steps))
    facts = {"step": trial.step, "build": trial.build, "failed": sorted(trial.failed)}
    plan_cache.remember(key, facts)
    _learn(known, {name: trial.build[name] for name in trial.built})
    return make(best), Plan(best, trial.why(known), trial.step, trial.build)


def _is_worth_trying(name, seconds, left):
    """Whether a plan may be built, in ``seconds``, for a training that takes ``left`` seconds."""
    seconds += 4 * _seconds_to_time(left)
    return left >= _MIN_SECONDS and seconds < _MAX_BUILD_SHARES.get(name, _MAX_BUILD_SHARE) * left


def _seconds_to_time(left):
    return float(np.clip(_TIMING_SHARE * left, *_TIMING_SECONDS))


def _seconds_to_build(known):
    """The seconds that plans are said to take, corrected by what other models took here."""
    ratios = plan_cache.recall(_machine_key()).get("build", {})
    return {name: seconds * ratios.get(name, 1.0) for name, seconds in known.items()}


def _learn(known, built):
    """Remember by how much the times to build plans were off.

    A longer time counts at once and a shorter one by half: a framework may have had a part of the
    program from an earlier process.
    """
    ratios = dict(plan_cache.recall(_machine_key()).get("build", {}))
    for name, seconds in built.items():
        if 0 < known[name] < np.inf:
            ratio = seconds / known[name]
            ratios[name] = max(ratio, (ratio + ratios.get(name, ratio)) / 2)
    if ratios:
        plan_cache.remember(_machine_key(), {"step": {}, "build": ratios, "failed": []})


def _why_no_trial(reachable):
    """The reason why steps that are taken on trial could leave something changed, or None."""
    if reachable.unknown:
        return f"the state of {reachable.unknown[0]} cannot be restored"
    if reachable.is_unbuilt:
        return "the first step has variables to make"
    return None


class _Trial:
    """Times plans by real steps, and remembers which could not be built.

    Everything that the model reaches is restored after each trial: variables of all layers,
    metrics and optimizers, attributes, containers and random generators. Code of a step that
    TensorFlow or JAX traces therefore leaves no trace in attributes, however often it is traced.
    """

    def __init__(self, make, indices, seen, snapshot):
        self.step, self.build = dict(seen.get("step", {})), dict(seen.get("build", {}))
        self.failed, self.built = set(seen.get("failed", ())), set()
        self.error = self.once = None
        self._make, self._indices, self._snapshot = make, indices, snapshot

    def works(self, name):
        """Whether the plan ``name`` can be built, by taking two steps."""
        if name in self.step:
            return True
        try:
            begin = time.perf_counter()
            try:
                with defer_signals():
                    steps = self._make(name)
                    steps.run(self._indices[:1])
                    built = time.perf_counter()
                    steps.run(self._indices[:1])
            finally:
                self._snapshot.restore()
            if getattr(steps, "plan", name) != name:
                raise RuntimeError(f"Its steps are run by the plan {steps.plan}.")
        except Exception as error:  # whatever a compiler says to a model that it cannot take
            self.error = error
            self.failed.add(name)
            _log.debug("The plan %s cannot run this model: %s", name, error)
            return False
        self.once = time.perf_counter() - built
        self.build[name] = max(0.0, built - begin - self.once)
        self.built.add(name)
        return True

    def seconds(self, name, steps):
        """Seconds that a training still takes by a plan, building included unless it is built."""
        return steps * self.step[name] + (0.0 if name in self.built else self.build[name])

    def compare(self, *names, seconds=_TIMING_SECONDS[0]):
        """Time plans that work, in turns, so that what else the machine does meets them alike.

        One turn is enough for a single plan, and where the plans are far apart.
        """
        if all(name in self.step for name in names):
            return
        for _ in range(3):
            for name in names:
                self.step[name] = min(self._timed(name, seconds), self.step.get(name, np.inf))
            times = [self.step[name] for name in names]
            if len(times) == 1 or max(times) > _CLEAR_RATIO * min(times):
                return

    def time_again(self, name):
        """The least seconds a step of all timings of a plan, one more among them."""
        self.step[name] = min(self._timed(name, _TIMING_SECONDS[0]), self.step[name])
        return self.step[name]

    def _timed(self, name, requested):
        """Seconds a step, of a run of about ``requested`` seconds."""
        steps = self._make(name)
        count = int(np.clip(requested / self.once, 1, len(self._indices)))
        while True:
            begin = time.perf_counter()
            steps.run(self._indices[:count])
            seconds = time.perf_counter() - begin
            # A run costs something whatever its length, so that one step tells too little.
            longer = int(min(count * requested / seconds, len(self._indices)))
            if longer < 2 * count:
                self._snapshot.restore()
                return seconds / count
            count = longer

    def why(self, known):
        """What was measured, in words."""
        words = [f"{name} {seconds * 1e3:.3g} ms a step" for name, seconds in self.step.items()]
        words += [f"{name} cannot run this model" for name in self.failed]
        left = [name for name in known if name not in self.step and name not in self.failed]
        if left:
            words.append(f"{', '.join(left)} not tried: it may take longer to build than it saves")
        return "; ".join(words)


def _key(model, device_data, batch_size):
    """What a plan's times depend on, as a digest."""
    layers = [(type(layer).__name__, layer.compute_dtype) for layer in flatten_layers(model)]
    shapes = [tuple(variable.shape) for variable in model.variables]
    optimizer = type(model.optimizer).__name__
    return _digest(layers, shapes, optimizer, device_data.signature, batch_size)


def _machine_key():
    """What the times to build plans depend on beside the model, as a digest."""
    return _digest()


def _digest(*facts):
    backend = backends.current()
    versions = backend.version(), keras.__version__
    facts = (keras.config.backend(), *versions, backend.device(), *facts)
    return hashlib.blake2b(repr(facts).encode(), digest_size=16).hexdigest()


def by_keras(why, warn=True, method="fit"):
    """The `Plan` that leaves a job to Keras's own ``method``, logged once for each reason."""
    if warn and (method, why) not in _said:
        _said.add((method, why))
        words = {"fit": "Training", "evaluate": "Evaluating", "predict": "Predicting"}[method]
        _log.warning("%s with Keras's own %s: %s.", words, method, why)
    return Plan("keras", why, {}, {})


_said = set()
