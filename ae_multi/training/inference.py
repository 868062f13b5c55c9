"""Prediction and evaluation of arrays, in batches, by programs of the framework."""

from os import PathLike
from typing import Any

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi._keras_internals import (
    check_compiled,
    metrics_in_order,
)
from ae_multi.argument_checks import check_positive
from ae_multi.data.arrays import (
    NotArraysError,
    as_data,
    first,
    is_stream,
    length,
)
from ae_multi.data.source import has_sources
from ae_multi.errors import InputError
from ae_multi.training.batch_size import default_batch_size
from ae_multi.training.callbacks import wants_test_batches
from ae_multi.training.chunked import predict_chunks
from ae_multi.training.evaluation import Evaluation
from ae_multi.training.fallback import why_keras
from ae_multi.training.keras_batches import batches_for_keras
from ae_multi.training.limits import batches_of
from ae_multi.training.plan import by_keras
from ae_multi.training.progress_bar import Progress


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
