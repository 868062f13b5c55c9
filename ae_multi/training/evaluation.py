"""Evaluation of a model on arrays, in runs of many batches."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi._keras_internals import (
    build_symbolically,
    metrics_result,
)
from ae_multi.backends.chunks import as_numpy
from ae_multi.backends.reachable import Reachable
from ae_multi.data.arrays import (
    first,
    length,
    rows,
    unique_arrays,
)
from ae_multi.data.source import has_sources
from ae_multi.training.limits import batches_of
from ae_multi.training.progress_bar import Progress
from ae_multi.training.signals import defer_signals
from ae_multi.workers.launched import beat

# Maximum number of batches in one run of an evaluation, for whose logs a compiled loop allocates
# memory. Maximum number of bytes that are copied to the device for one run of an evaluation whose
# data do not stay there.
_MAX_BATCHES_PER_RUN = 64
_MAX_BYTES_PER_RUN = 2**26
# An evaluation of at least _MIN_BATCHES batches uses a plan that takes up to _MAX_BUILD_SECONDS to
# build. The batches of a repeated evaluation count _REPEATS times for any number of epochs, so that
# a resumed training takes the same plan as an uninterrupted one.
_MIN_BATCHES, _MAX_BUILD_SECONDS, _REPEATS = 256, 3.0, 10


class Evaluation:
    """Evaluation of a model on arrays, in runs of many batches.

    Args:
        model: a compiled `keras.Model`.
        data: (x, y, sample_weight), from `as_data`.
        batch_size: samples per batch, or None for Keras's default.
        steps: maximum number of batches, or None for all.
        again: whether the evaluation is run more than once. If so, arrays stay on the device.
            Otherwise they are copied there in chunks, which need less memory.

    Attributes:
        batch_size: samples per batch.
        steps: number of batches.
    """

    def __init__(
        self,
        model: keras.Model,
        data: tuple,
        batch_size: int | None,
        steps: int | None = None,
        again: bool = False,
    ):
        self._samples = length(data)
        batch_size, steps = batches_of(self._samples, batch_size, steps)
        build_symbolically(model, first(data, batch_size))
        self.model, self._data, self.batch_size = model, data, batch_size
        if steps is not None:
            self._samples = min(self._samples, steps * batch_size)
        self.steps = -(-self._samples // batch_size)
        self._max_batches = _MAX_BATCHES_PER_RUN
        is_resident = again and not has_sources(data)
        if not is_resident:
            size = sum(array[:1].nbytes for array in unique_arrays(data)) * batch_size
            self._max_batches = int(np.clip(_MAX_BYTES_PER_RUN // size, 1, _MAX_BATCHES_PER_RUN))
        self._plan = self._choose_plan(self.steps * (_REPEATS if again else 1))
        self._all_steps = self._steps(data) if is_resident else None

    def _choose_plan(self, batches: int) -> str:
        """Return the name of the plan for ``batches`` batches in total."""
        known = backends.current().plans(self.model)
        soonest = min(known, key=lambda plan: plan[1])[0]
        better = next((name for name, seconds in known if seconds <= _MAX_BUILD_SECONDS), soonest)
        if batches < _MIN_BATCHES or better == soonest:
            return soonest
        reachable = Reachable(self.model)
        if reachable.unknown or reachable.is_unbuilt:
            return soonest  # a trial step could change state that cannot be restored
        snapshot = backends.current().snapshot(reachable)
        try:
            steps = self._steps(rows(self._data, slice(0, self.batch_size)), better)
            with defer_signals():
                steps.run(np.arange(min(self.batch_size, self._samples), dtype=np.int32)[None])
        except Exception:  # a compiler can raise any error for a model that it does not support
            return soonest
        finally:
            snapshot.restore()
        return better

    def run(self, progress: Progress | None = None) -> dict[str, Any]:
        """Evaluate the model with its current weights.

        Args:
            progress: a `Progress` to update after each run, or None.

        Returns:
            Dict of name to number.
        """
        self.model.reset_metrics()
        logs: dict[str, Any] = {}
        done = 0
        for steps, indices in self._runs():
            with defer_signals():
                logs = steps.run(indices)
            logs = {name: values[-1] for name, values in logs.items()}
            done += len(indices)
            beat()
            if progress is not None:
                progress.advance(done, logs)
        logs = metrics_result(self.model, logs)
        return {name: _number(value) for name, value in logs.items()}

    def _runs(self) -> Iterator[tuple[Any, np.ndarray]]:
        """Yield (the backend's `Steps`, indices: int32 (steps, batch)) for each run."""
        size = self._max_batches * self.batch_size
        steps, start = self._all_steps, 0
        for begin in range(0, self._samples, size):
            if self._all_steps is None:
                # All chunks have the same length, so that one program runs them all.
                start = max(0, min(begin, self._samples - size))
                steps = self._steps(rows(self._data, slice(start, start + size)))
            order = np.arange(begin, min(begin + size, self._samples), dtype=np.int32) - start
            full = len(order) // self.batch_size * self.batch_size
            for batches in (order[:full].reshape(-1, self.batch_size), order[full:].reshape(1, -1)):
                if batches.size:
                    yield steps, batches

    def _steps(self, data: Any, plan: str | None = None) -> Any:
        """Copy ``data`` to the device and return the backend's `Steps` on them."""
        backend, plan = backends.current(), plan or self._plan
        device_data = backend.to_device(data)
        return backend.Steps(
            self.model, device_data, plan, False, self.batch_size, self._max_batches
        )


def _number(value: Any) -> Any:
    """Return a log as Keras returns it: a float if it is a single number, otherwise an array."""
    array = as_numpy(value)
    return float(array) if array.ndim == 0 else array
