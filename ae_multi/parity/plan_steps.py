"""The steps of a training, taken one by one by a given plan."""

import numpy as np

from ae_multi import backends
from ae_multi._keras_internals import build_symbolically
from ae_multi.data.arrays import as_data, first, length, rows, to_device
from ae_multi.training.loop import MAX_STEPS_PER_RUN


class PlanSteps:
    """Takes training steps of a model by one of its backend's plans.

    The program is the one that `ae_multi.fit` runs for the same plan, data and batch size.

    Args:
        model: a compiled Keras model.
        x: inputs, an array or nested arrays.
        y: targets, in the same way.
        plan: name of a plan of the backend, or "keras" for Keras's own step.
        batch_size: samples in a full batch.
    """

    def __init__(self, model, x, y, plan, batch_size):
        self._model, self._data = model, as_data(x, y)
        self._steps = None
        if plan != "keras":
            build_symbolically(model, first(self._data, batch_size))
            most = max(1, min(MAX_STEPS_PER_RUN, length(self._data) // batch_size))
            device_data = to_device(self._data)
            self._steps = backends.current().Steps(model, device_data, plan, True, batch_size, most)

    def loss(self, chosen):
        """Take one step on the samples of these indices, an integer array; return its loss."""
        self._model.reset_metrics()
        if self._steps is None:
            x, y, _ = rows(self._data, chosen)
            return float(self._model.train_on_batch(x, y, return_dict=True)["loss"])
        return float(self._steps.run(np.asarray(chosen, np.int32)[None])["loss"][0])
