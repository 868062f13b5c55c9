"""Validation after an epoch: arrays stay on the device, and Keras evaluates streams."""

from collections.abc import Callable, Sequence
from typing import Any

from ae_multi._keras import keras
from ae_multi._keras_internals import should_evaluate
from ae_multi.data.arrays import NotArraysError, as_data
from ae_multi.training.evaluation import Evaluation


def validator(
    model: keras.Model,
    data: Any,
    callbacks: keras.callbacks.CallbackList,
    validation_freq: int | Sequence[int],
    validation_steps: int | None,
    validation_batch_size: int | None,
) -> Callable[[int], dict[str, Any]]:
    """Return a function that validates a model after an epoch.

    Args:
        model: a compiled and built Keras model.
        data: (x, y) or (x, y, sample_weight), a stream, or None.
        callbacks: the callbacks, which are called before and after each validation.
        validation_freq: number of epochs from one validation to the next, or the epochs to
            validate after.
        validation_steps: maximum number of batches, or None for all.
        validation_batch_size: samples per batch, or None for Keras's default.

    Returns:
        Function of the epoch's number that returns the logs, with names that begin with "val_";
        an empty dict if the epoch has no validation.
    """
    x = y = sample_weight = None
    if data is not None:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    evaluations: list[Evaluation | None] = []  # the first is None for a stream

    def run_stream():
        return model.evaluate(
            x,
            y,
            sample_weight=sample_weight,
            callbacks=callbacks,
            steps=validation_steps,
            batch_size=validation_batch_size,
            return_dict=True,
        )

    def run_arrays(evaluation):
        callbacks.on_test_begin()
        logs = evaluation.run()
        callbacks.on_test_end(logs)
        return logs

    def run():
        if not evaluations:
            try:
                arrays = as_data(x, y, sample_weight)
            except NotArraysError:
                evaluations.append(None)
            else:
                evaluations.append(
                    Evaluation(model, arrays, validation_batch_size, validation_steps, again=True)
                )
        return run_stream() if evaluations[0] is None else run_arrays(evaluations[0])

    def validate(epoch):
        if data is None or not should_evaluate(model, epoch, validation_freq):
            return {}
        return {f"val_{name}": value for name, value in run().items()}

    return validate
