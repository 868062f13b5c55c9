"""Prediction and evaluation of arrays, in batches, by programs of the framework."""

from collections.abc import Iterator
from os import PathLike
from typing import Any

import numpy as np

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi._keras_internals import (
    build_symbolically,
    check_compiled,
    metrics_in_order,
    metrics_result,
)
from ae_multi.argument_checks import check_positive
from ae_multi.backends.chunks import as_numpy
from ae_multi.backends.reachable import Reachable
from ae_multi.data.arrays import (
    NotArraysError,
    as_data,
    first,
    is_stream,
    length,
    rows,
    unique_arrays,
)
from ae_multi.data.source import has_sources
from ae_multi.errors import InputError
from ae_multi.training.batch_size import default_batch_size
from ae_multi.training.callbacks import wants_test_batches
from ae_multi.training.chunked import predict_chunks
from ae_multi.training.fallback import why_keras
from ae_multi.training.keras_batches import batches_for_keras
from ae_multi.training.limits import batches_of
from ae_multi.training.plan import by_keras
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


def predict(
    model: keras.Model | keras.layers.Layer,
    x: Any,
    batch_size: int | None = None,
    verbose: int | str = 0,
    steps: int | None = None,
    out: PathLike[str] | str | None = None,
) -> Any:
    """Return the outputs of ``model`` at inference for ``x``.

    Keras's own `predict` computes them for streams, text, sparse and ragged tensors, for models
    that are compiled to run eagerly, for models that override `predict_step` or
    `make_predict_function`, and if `keras.config.max_steps_per_epoch` is set.

    Args:
        model: a `keras.Model`, or a layer that is part of one.
        x: arrays or sources in the structure of the model's inputs, n samples each.
        batch_size: samples that are computed at once. None means the batch size in the model's
            input shapes, if it is fixed there; 32, as in Keras, for a model with code from outside
            Keras, whose outputs may depend on the batch; otherwise a larger size that suits the
            model.
        verbose: 0 for no output, 1 for a progress bar, 2 for a line at the end, "auto" for 1.
        steps: number of batches to compute, or None for all. Without ``batch_size`` they divide all
            samples, as in Keras.
        out: .npy file that the outputs are written to one chunk at a time, or None. Half-precision
            outputs are written as float32.

    Returns:
        NumPy arrays in the structure of the model's outputs; with ``out`` a read-only memory map
        of the file.

    Raises:
        InputError: arrays of different lengths, no samples, a size below 1, or with ``out`` a file
            that cannot be written, several outputs, or a model or data for Keras's `predict`.
    """
    check_positive(batch_size=batch_size, steps=steps)
    why = _why_keras_predicts(model)
    if why is None:
        try:
            data = as_data(x)[0]
        except NotArraysError as error:
            why = error.reason
    if why is not None:
        if out is not None:
            raise InputError(
                f"Expected a model and data without Keras's own predict with out. Received: {why}."
            )
        by_keras(why, warn=not is_stream(x), method="predict")
        if has_sources(x):
            x = batches_for_keras((x, None, None), batch_size, steps)
            batch_size = None
        return keras.Model.predict(model, x, batch_size, verbose, steps)
    if steps is not None:
        batch_size, _ = batches_of(length(data), batch_size, steps)
        data = first(data, batch_size * steps)
    batch_size = batch_size or default_batch_size(model, data)
    on_progress = None
    if verbose:
        batches = -(-length(data) // batch_size)
        on_progress = keras.utils.Progbar(
            batches, verbose=1 if verbose == "auto" else verbose
        ).update
    if out is not None or has_sources(data):
        return predict_chunks(model, data, batch_size, on_progress, out)
    return backends.current().forward(model, data, batch_size, on_progress)


def _why_keras_predicts(model: keras.Model | keras.layers.Layer) -> str | None:
    """Return the reason why only Keras's own `predict` can compute the outputs, or None."""
    if not isinstance(model, keras.Model):  # a part of a model may be any layer
        return None
    for name in ("predict_step", "make_predict_function"):
        if getattr(type(model), name) is not getattr(keras.Model, name):
            return f"the model overrides {name}"
    if model.run_eagerly:
        return "the model is compiled with run_eagerly=True"
    if keras.config.max_steps_per_epoch():
        return "keras.config.max_steps_per_epoch limits the batches"
    return None


def evaluate(
    model: keras.Model,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    verbose: int | str = "auto",
    sample_weight: Any = None,
    steps: int | None = None,
    callbacks: Any = None,
    return_dict: bool = False,
) -> Any:
    """Compute the loss and metrics of a compiled model, as `keras.Model.evaluate` does.

    Many batches run in one program of the framework. Keras's own `evaluate` runs for data that are
    not dense arrays, for callbacks that override a batch hook, for models that override
    `make_test_function`, and for models that `fit` leaves to Keras.

    Args:
        model: a compiled `keras.Model`.
        x: inputs, an array or nested arrays.
        y: targets, an array or nested arrays, or None.
        batch_size: samples per batch. None means 32, or with ``steps`` the size that divides all
            samples into that many batches.
        verbose: 0 for no output, 1 for a progress bar, 2 for one line, "auto" for 1.
        sample_weight: a weight for each sample, in the structure of ``y``, or None.
        steps: batches to evaluate, or None for all.
        callbacks: list of Keras callbacks, a `keras.callbacks.CallbackList`, or None.
        return_dict: whether to return a dict.

    Returns:
        The loss as a number, or a list of numbers if there are metrics; with ``return_dict`` a
        dict of name to number.

    Raises:
        InputError: arrays of different lengths or structures, or a size below 1.
        ValueError: the model is not compiled.
    """
    has_list = isinstance(callbacks, keras.callbacks.CallbackList)
    callback_list = callbacks.callbacks if has_list else keras.tree.flatten(callbacks or [])
    why = why_keras(model)
    if type(model).make_test_function is not keras.Model.make_test_function:
        why = "the model overrides make_test_function"
    if any(map(wants_test_batches, callback_list)):
        why = "a callback overrides a batch hook"
    if why is None:
        check_compiled(model, "evaluate")
        check_positive(batch_size=batch_size, steps=steps)
        try:
            data = as_data(x, y, sample_weight)
        except NotArraysError as error:
            why = error.reason
    if why is not None:
        by_keras(why, warn=not is_stream(x), method="evaluate")
        if has_sources((x, y, sample_weight)):
            x = batches_for_keras((x, y, sample_weight), batch_size, steps)
            y = sample_weight = batch_size = None
        return keras.Model.evaluate(
            model, x, y, batch_size, verbose, sample_weight, steps, callbacks, return_dict
        )
    evaluation = Evaluation(model, data, batch_size, steps)
    progress = None
    if not has_list:
        progress = Progress(evaluation.batch_size) if verbose != 0 else None
        callbacks = keras.callbacks.CallbackList(
            [*callback_list, *([progress] if progress else [])],
            model=model,
            verbose=verbose,
            epochs=1,
            steps=evaluation.steps,
        )
    callbacks.on_test_begin()
    logs = evaluation.run(progress)
    callbacks.on_test_end(logs)
    return logs if return_dict else metrics_in_order(model, logs)


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
