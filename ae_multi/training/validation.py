"""Validation after an epoch, on arrays that stay on the device, or on a stream by Keras."""

from ae_multi._keras import keras
from ae_multi.training.arrays import as_data, is_stream
from ae_multi.training.whole import Evaluation


def validator(model, data, callbacks, validation_freq, validation_steps, validation_batch_size):
    """A function of the epoch that returns the logs of a validation, or none."""
    made = []

    def stream():
        return model.evaluate(
            data,
            callbacks=callbacks,
            steps=validation_steps,
            batch_size=None,
            return_dict=True,
        )

    def held():
        if not made:
            parts = keras.utils.unpack_x_y_sample_weight(data)
            arrays = as_data(*parts)
            made.append(
                Evaluation(model, arrays, validation_batch_size, validation_steps, again=True)
            )
        callbacks.on_test_begin()
        logs = made[0].run()
        callbacks.on_test_end(logs)
        return logs

    run = stream if data is not None and is_stream(data) else held

    def validate(epoch):
        if data is None or not model._should_eval(epoch, validation_freq):
            return {}
        return {f"val_{name}": value for name, value in run().items()}

    return validate
