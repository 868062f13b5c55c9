"""Validation after an epoch, on arrays that stay on the device, or on a stream by Keras."""

from ae_multi._keras import keras
from ae_multi._keras_internals import should_evaluate
from ae_multi.data.arrays import NotArraysError, as_data
from ae_multi.training.inference import Evaluation


def validator(model, data, callbacks, validation_freq, validation_steps, validation_batch_size):
    """A function of the epoch that returns the logs of a validation, or none."""
    x = y = sample_weight = None
    if data is not None:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    made = []

    def stream():
        return model.evaluate(
            x,
            y,
            sample_weight=sample_weight,
            callbacks=callbacks,
            steps=validation_steps,
            batch_size=validation_batch_size,
            return_dict=True,
        )

    def held():
        callbacks.on_test_begin()
        logs = made[0].run()
        callbacks.on_test_end(logs)
        return logs

    def run():
        if not made:
            try:
                arrays = as_data(x, y, sample_weight)
            except NotArraysError:
                made.append(None)
            else:
                made.append(
                    Evaluation(model, arrays, validation_batch_size, validation_steps, again=True)
                )
        return stream() if made[0] is None else held()

    def validate(epoch):
        if data is None or not should_evaluate(model, epoch, validation_freq):
            return {}
        return {f"val_{name}": value for name, value in run().items()}

    return validate
