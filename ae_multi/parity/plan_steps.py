"""Training steps with a given plan, one at a time."""

from typing import Any

import numpy as np

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi._keras_internals import build_symbolically
from ae_multi.data.arrays import as_data, first, length, rows, to_device
from ae_multi.training.loop import MAX_STEPS_PER_RUN


class PlanSteps:
    """Take training steps of a model one by one with a plan of its backend.

    The program is the one that `ae_multi.fit` runs for the same plan, data and batch size.

    Args:
        model: a compiled Keras model.
        x: inputs, an array or nested arrays.
        y: targets, an array or nested arrays.
        plan: name of a plan of the backend, or "keras" for Keras's train step.
        batch_size: samples in a full batch.
    """

    def __init__(self, model: keras.Model, x: Any, y: Any, plan: str, batch_size: int) -> None:
        self._model, self._data = model, as_data(x, y)
        self._steps: Any = None
        if plan != "keras":
            build_symbolically(model, first(self._data, batch_size))
            max_steps = max(1, min(MAX_STEPS_PER_RUN, length(self._data) // batch_size))
            device_data = to_device(self._data)
            self._steps = backends.current().Steps(
                model, device_data, plan, True, batch_size, max_steps
            )

    def loss(self, chosen: np.ndarray) -> float:
        """Take one step and return its loss.

        Args:
            chosen: indices of the samples of the batch, an integer array.
        """
        self._model.reset_metrics()
        if self._steps is None:
            x, y, _ = rows(self._data, chosen)
            return float(self._model.train_on_batch(x, y, return_dict=True)["loss"])
        return float(self._steps.run(np.asarray(chosen, np.int32)[None])["loss"][0])
