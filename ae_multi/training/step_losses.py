"""Loss of each step of a training at full speed."""

from typing import Any

import numpy as np

from ae_multi._keras import keras


class StepLosses(keras.callbacks.Callback):
    """Callback of `ae_multi.fit` that collects the loss of each step.

    Keras's metric is the mean over the samples of the epoch so far. A step's loss is the difference
    of two sums, so its relative error is about 1e-7 times the number of the step in its epoch.
    Checkpoints hold the losses of the steps before.

    Attributes:
        losses: list of the mean loss over each batch.
    """

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []
        self._sum, self._count = 0.0, 0

    def add(self, done: int, batch: int, means: np.ndarray) -> None:
        """Add the steps of a run.

        Args:
            done: steps of the epoch before the run.
            batch: samples in each batch of the run.
            means: loss in the logs after each step, shape (steps,).
        """
        if not done:
            self._sum, self._count = 0.0, 0
        for mean in np.asarray(means, np.float64).tolist():
            self._count += batch
            before, self._sum = self._sum, mean * self._count
            self.losses.append((self._sum - before) / batch)

    def get_state(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"losses": np.array(self.losses), "sum": self._sum, "count": self._count}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        self.losses = np.asarray(state["losses"], np.float64).tolist()
        self._sum, self._count = float(state["sum"]), int(state["count"])
