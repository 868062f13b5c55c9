"""Timings of plans on real steps of a model, whose state is restored afterwards."""

import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from ae_multi.training.signals import defer_signals

# Shortest and longest timing of a plan, in seconds.
TIMING_SECONDS = 0.1, 1.0
# Plans whose times differ by this factor are not timed again.
_CLEAR_RATIO = 1.2

_log = logging.getLogger("ae_multi")


class Trial:
    """Timings of plans on real steps.

    The state of everything that the model references is restored after each trial: variables of all
    layers, metrics and optimizers, attributes, containers and random generators. So attributes that
    a step changes while TensorFlow or JAX traces it have their previous values after a trial.

    Args:
        make: function of a plan's name that returns the backend's `Steps`.
        indices: int32 (steps, batch), the batches for timing.
        seen: earlier measurements from the cache, with the keys "step", "build" and "failed".
        snapshot: the state of the model, with a method `restore`.

    Attributes:
        step: dict of plan name to seconds per step.
        build: dict of plan name to seconds to build.
        failed: names of plans that cannot run the model.
        built: names of plans that were built in this trial.
        error: the error of the last plan that failed, or None.
        once: seconds of the second step of the last plan that was built, or None.
    """

    def __init__(
        self, make: Callable[[str], Any], indices: np.ndarray, seen: Mapping, snapshot: Any
    ):
        self.step: dict[str, float] = dict(seen.get("step", {}))
        self.build: dict[str, float] = dict(seen.get("build", {}))
        self.failed: set[str] = set(seen.get("failed", ()))
        self.built: set[str] = set()
        self.error: Any = None
        self.once: Any = None
        self._make, self._indices, self._snapshot = make, indices, snapshot

    def works(self, name: str) -> bool:
        """Return whether the plan ``name`` can run the model; builds it and runs two steps."""
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
                    end = time.perf_counter()
            finally:
                self._snapshot.restore()
            if getattr(steps, "plan", name) != name:
                raise RuntimeError(
                    f"Expected steps of the plan {name}. Received: steps of the plan {steps.plan}."
                )
        except Exception as error:  # a compiler can raise any error for an unsupported model
            self.error = error
            self.failed.add(name)
            _log.debug("The plan %s cannot run this model: %s", name, error)
            return False
        self.once = end - built
        self.build[name] = max(0.0, built - begin - self.once)
        self.built.add(name)
        return True

    def seconds(self, name: str, steps: int) -> float:
        """Return the seconds of ``steps`` steps by a plan, and of building it if not built yet."""
        return steps * self.step[name] + (0.0 if name in self.built else self.build[name])

    def compare(self, *names: str, seconds: float = TIMING_SECONDS[0]) -> None:
        """Time plans alternately, so that other load on the machine affects them equally.

        Each plan is timed up to three times, and the shortest time counts. A single plan is timed
        once, and timing stops when the times differ by more than the factor `_CLEAR_RATIO`.

        Args:
            names: names of plans for which `works` returned True.
            seconds: length of one timing.
        """
        if all(name in self.step for name in names):
            return
        for _ in range(3):
            for name in names:
                self.step[name] = min(self._timed(name, seconds), self.step.get(name, np.inf))
            times = [self.step[name] for name in names]
            if len(times) == 1 or max(times) > _CLEAR_RATIO * min(times):
                return

    def time_again(self, name: str) -> float:
        """Time a plan once more and return the least seconds per step of all its timings."""
        self.step[name] = min(self._timed(name, TIMING_SECONDS[0]), self.step[name])
        return self.step[name]

    def _timed(self, name: str, requested: float) -> float:
        """Return the seconds per step of a run of about ``requested`` seconds."""
        steps = self._make(name)
        count = int(np.clip(requested / self.once, 1, len(self._indices)))
        while True:
            begin = time.perf_counter()
            steps.run(self._indices[:count])
            seconds = time.perf_counter() - begin
            # A run has a constant overhead, so a single step is not representative.
            longer = int(min(count * requested / seconds, len(self._indices)))
            if longer < 2 * count:
                self._snapshot.restore()
                return seconds / count
            count = longer

    def why(self, known: Collection[str]) -> str:
        """Describe the measurements in words."""
        words = [f"{name} {seconds * 1e3:.3g} ms a step" for name, seconds in self.step.items()]
        words += [f"{name} cannot run this model" for name in self.failed]
        untried = [name for name in known if name not in self.step and name not in self.failed]
        if untried:
            words.append(
                f"{', '.join(untried)} not tried: it may take longer to build than it saves"
            )
        return "; ".join(words)
