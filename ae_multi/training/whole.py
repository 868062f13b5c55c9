"""Whole arrays through a model: evaluation and outputs."""

import numpy as np

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi.training.arrays import as_data, first, length
from ae_multi.training.interrupt import held_back

# Batches in one run of an evaluation; its programs keep room for as many logs.
_MOST = 64


def predict(model, x, batch_size=1024):
    """Outputs of ``model`` in use for all of ``x``.

    Args:
        model: a `keras.Model`.
        x: arrays in the structure that the model takes, n samples each.
        batch_size: samples that are computed at once; it does not change the outputs by more
            than rounding.

    Returns:
        NumPy arrays in the structure of the model's outputs.
    """
    return backends.current().forward(model, as_data(x)[0], batch_size)


def evaluate(model, x, y=None, batch_size=32, sample_weight=None):
    """The loss and metrics of a compiled model, as `keras.Model.evaluate` names and weighs them.

    Returns:
        Dict of name to number.
    """
    data = as_data(x, y, sample_weight)
    return Evaluation(model, data, batch_size).run()


class Evaluation:
    """An evaluation that can be run again and again: the data stay on the device."""

    def __init__(self, model, data, batch_size, steps=None):
        model._symbolic_build(data_batch=first(data, batch_size))
        backend = backends.current()
        self.model = model
        held, samples = backend.hold(data), length(data)
        if steps is not None:
            samples = min(samples, steps * batch_size)
        full = samples // batch_size * batch_size
        order = np.arange(samples, dtype=np.int32)
        self._parts = [
            *np.split(
                order[:full].reshape(-1, batch_size), range(_MOST, full // batch_size, _MOST)
            ),
            order[full:].reshape(1, -1),
        ]
        # An evaluation is short, so that what is built soonest is fastest.
        plan = min(backend.plans(model), key=lambda plan: plan[1])[0]
        self._steps = backend.Steps(model, held, plan, False, batch_size, _MOST)

    def run(self):
        """Loss and metrics of the model as it is now: dict of name to number."""
        self.model.reset_metrics()
        logs = {}
        for part in self._parts:
            if part.size:
                with held_back():
                    logs = self._steps.run(part)
        logs = {name: values[-1] for name, values in logs.items()}
        logs = self.model._get_metrics_result_or_logs(logs)
        return {name: _number(value) for name, value in logs.items()}


def _number(value):
    """A log as Keras hands it to callers: a float where it is one number."""
    array = keras.ops.convert_to_numpy(value)
    return float(array) if array.ndim == 0 else array
