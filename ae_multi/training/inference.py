"""Whole arrays through a model: outputs and evaluation."""

import numpy as np

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi._keras_internals import (
    build_symbolically,
    check_compiled,
    metrics_in_order,
    metrics_result,
)
from ae_multi.backends.chunks import as_numpy
from ae_multi.backends.snapshot import Reachable
from ae_multi.data.arrays import (
    NotArraysError,
    as_data,
    first,
    is_stream,
    length,
    rows,
    unique_arrays,
)
from ae_multi.training.batch_size import default_batch_size
from ae_multi.training.callbacks import wants_test_batches
from ae_multi.training.fallback import why_keras
from ae_multi.training.limits import batches_of
from ae_multi.training.plan import by_keras
from ae_multi.training.progress import Progress
from ae_multi.training.signals import defer_signals
from ae_multi.validation import check_positive

# Batches in one run of an evaluation, whose programs keep room for as many logs; and bytes that
# go to the device at a time where no data stay there.
_MAX_BATCHES_PER_RUN = 64
_MAX_BYTES_PER_RUN = 2**26
# From so many batches on, an evaluation is worth a plan that is built in so many seconds; one that
# is done again and again counts so many times, for a training of however many epochs: going on
# from a checkpoint gives what an unbroken training gives.
_MIN_BATCHES, _MAX_BUILD_SECONDS, _REPEATS = 256, 3.0, 10


def predict(model, x, batch_size=None, verbose=0):
    """Outputs of ``model`` in use for all of ``x``.

    Left to Keras are streams, text, sparse and ragged tensors, models that are compiled to run
    eagerly, and those with a `predict_step` of their own.

    Args:
        model: a `keras.Model`.
        x: arrays in the structure that the model takes, n samples each.
        batch_size: samples that are computed at once. None is 32, as in Keras, for a model with
            code from outside of Keras, whose outputs may depend on the batch, or the size that its
            inputs are fixed to; otherwise a larger size that suits the model.
        verbose: 0 for silence, 1 for a progress bar, 2 for a line at the end, "auto" for 1.

    Returns:
        NumPy arrays in the structure of the model's outputs.

    Raises:
        InputError: parts of different lengths, no samples, or a size below 1.
    """
    check_positive(batch_size=batch_size)
    why = _why_keras_predicts(model)
    if why is None:
        try:
            data = as_data(x)[0]
        except NotArraysError as error:
            why = error.reason
    if why is not None:
        by_keras(why, warn=not is_stream(x), method="predict")
        return keras.Model.predict(model, x, batch_size, verbose)
    batch_size = batch_size or default_batch_size(model, data)
    on_progress = None
    if verbose:
        batches = -(-length(data) // batch_size)
        on_progress = keras.utils.Progbar(
            batches, verbose=1 if verbose == "auto" else verbose
        ).update
    return backends.current().forward(model, data, batch_size, on_progress)


def _why_keras_predicts(model):
    """The reason why Keras's own `predict` has to compute outputs of ``model``, or None."""
    if not isinstance(model, keras.Model):  # a part of a model may be any layer
        return None
    for name in ("predict_step", "make_predict_function"):
        if getattr(type(model), name) is not getattr(keras.Model, name):
            return f"the model has a {name} of its own"
    if model.run_eagerly:
        return "the model is compiled with run_eagerly=True"
    if keras.config.max_steps_per_epoch():
        return "keras.config.max_steps_per_epoch limits the batches"
    return None


def evaluate(
    model,
    x=None,
    y=None,
    batch_size=None,
    verbose="auto",
    sample_weight=None,
    steps=None,
    callbacks=None,
    return_dict=False,
):
    """The loss and metrics of a compiled model: what `keras.Model.evaluate` gives, sooner.

    Takes what that takes. What cannot be evaluated in whole arrays is left to Keras: data that
    feed themselves, callbacks that do something at each batch, and what `fit` leaves to it.

    Returns:
        A number, or a list of numbers where there are metrics; with ``return_dict`` a dict of
        name to number.

    Raises:
        InputError: arrays that do not fit each other, or sizes below 1.
    """
    given = isinstance(callbacks, keras.callbacks.CallbackList)
    asked = callbacks.callbacks if given else keras.tree.flatten(callbacks or [])
    why = why_keras(model)
    if type(model).make_test_function is not keras.Model.make_test_function:
        why = "the model has a make_test_function of its own"
    if any(map(wants_test_batches, asked)):
        why = "a callback does something at each batch"
    if why is None:
        check_compiled(model, "evaluate")
        check_positive(batch_size=batch_size, steps=steps)
        try:
            data = as_data(x, y, sample_weight)
        except NotArraysError as error:
            why = error.reason
    if why is not None:
        by_keras(why, warn=not is_stream(x), method="evaluate")
        return keras.Model.evaluate(
            model, x, y, batch_size, verbose, sample_weight, steps, callbacks, return_dict
        )
    evaluation = Evaluation(model, data, batch_size, steps)
    progress = None
    if not given:
        progress = Progress(evaluation.batch_size) if verbose != 0 else None
        callbacks = keras.callbacks.CallbackList(
            [*asked, *([progress] if progress else [])],
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
    """An evaluation in runs of some batches.

    Args:
        model: a compiled `keras.Model`.
        data: (x, y, sample_weight), as `as_data` makes it.
        batch_size: samples in a batch, or None for as many as Keras takes.
        steps: the most batches, or None for all.
        again: whether it will run more than once: then all data stay on the device. Otherwise
            they go there by and by, so that memory for a part of them is enough.
    """

    def __init__(self, model, data, batch_size, steps=None, again=False):
        self._samples = length(data)
        batch_size, steps = batches_of(self._samples, batch_size, steps)
        build_symbolically(model, first(data, batch_size))
        self.model, self._data, self.batch_size = model, data, batch_size
        if steps is not None:
            self._samples = min(self._samples, steps * batch_size)
        self.steps = -(-self._samples // batch_size)
        self._most = _MAX_BATCHES_PER_RUN
        if not again:
            size = sum(part[:1].nbytes for part in unique_arrays(data)) * batch_size
            self._most = int(np.clip(_MAX_BYTES_PER_RUN // size, 1, _MAX_BATCHES_PER_RUN))
        self._plan = self._worth_building(self.steps * (_REPEATS if again else 1))
        self._stay = self._steps(data) if again else None

    def _worth_building(self, batches):
        """The plan that so many batches are run by."""
        known = backends.current().plans(self.model)
        soonest = min(known, key=lambda plan: plan[1])[0]
        better = next((name for name, seconds in known if seconds <= _MAX_BUILD_SECONDS), soonest)
        if batches < _MIN_BATCHES or better == soonest:
            return soonest
        reachable = Reachable(self.model)
        if reachable.unknown or reachable.is_unbuilt:
            return soonest  # a step on trial could leave something changed
        snapshot = backends.current().snapshot(reachable)
        try:
            steps = self._steps(rows(self._data, slice(0, self.batch_size)), better)
            with defer_signals():
                steps.run(np.arange(min(self.batch_size, self._samples), dtype=np.int32)[None])
        except Exception:  # whatever a compiler says to a model that it cannot take
            return soonest
        finally:
            snapshot.restore()
        return better

    def run(self, progress=None):
        """Loss and metrics of the model as it is now: dict of name to number.

        Args:
            progress: a `Progress` that is told how far it is, or None.
        """
        self.model.reset_metrics()
        logs, done = {}, 0
        for steps, indices in self._runs():
            with defer_signals():
                logs = steps.run(indices)
            logs = {name: values[-1] for name, values in logs.items()}
            done += len(indices)
            if progress is not None:
                progress.advance(done, logs)
        logs = metrics_result(self.model, logs)
        return {name: _number(value) for name, value in logs.items()}

    def _runs(self):
        """(steps on data, rows of them: int32 (steps, batch)) of each run."""
        size = self._most * self.batch_size
        steps, start = self._stay, 0
        for begin in range(0, self._samples, size):
            if self._stay is None:
                # All parts are of one length, so that one program serves them.
                start = max(0, min(begin, self._samples - size))
                steps = self._steps(rows(self._data, slice(start, start + size)))
            order = np.arange(begin, min(begin + size, self._samples), dtype=np.int32) - start
            full = len(order) // self.batch_size * self.batch_size
            for part in (order[:full].reshape(-1, self.batch_size), order[full:].reshape(1, -1)):
                if part.size:
                    yield steps, part

    def _steps(self, data, plan=None):
        """Evaluation of ``data``, which goes to the device."""
        backend, plan = backends.current(), plan or self._plan
        device_data = backend.to_device(data)
        return backend.Steps(self.model, device_data, plan, False, self.batch_size, self._most)


def _number(value):
    """A log as Keras hands it to callers: a float where it is one number."""
    array = as_numpy(value)
    return float(array) if array.ndim == 0 else array
