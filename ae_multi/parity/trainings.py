"""Trainings of a model over one or more epochs, recorded step by step."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ae_multi._keras import keras
from ae_multi.metrics import squared_errors
from ae_multi.parity import model_builder
from ae_multi.parity.data import Samples
from ae_multi.parity.trace_recorder import TraceRecorder, entry
from ae_multi.training.fit import fit

# The momentum 7/8 and a learning rate that is a power of two are exact in float32, so that all
# backends and the float64 oracle run the same optimizer. A momentum of .9 would change the losses
# of an epoch by 3e-7.
MOMENTUM = 0.875
_MAX_RATE = 0.25
_RELATIVE_LOSS_REDUCTION = 0.01


def sgd_learning_rate(gradient_entries: Sequence[dict[str, Any]]) -> float:
    """Return a learning rate for SGD with momentum that does not amplify rounding errors.

    To first order, one step lowers the loss by rate · |gradient|². The rate is the largest power
    of two up to 1/4 for which that is at most a hundredth of the loss. It is 1/4 if the gradient is
    0 or not finite, or the loss is 0.

    Args:
        gradient_entries: the entries of the stage "gradient": the loss, then each gradient.
    """
    loss, *gradients = (np.asarray(item["values"], np.float64) for item in gradient_entries)
    square = sum(float(np.sum(gradient**2)) for gradient in gradients)
    if not (square > 0 and math.isfinite(square) and abs(loss) > 0):
        return _MAX_RATE
    return min(
        _MAX_RATE,
        2.0 ** math.floor(math.log2(_RELATIVE_LOSS_REDUCTION * abs(float(loss)) / square)),
    )


def sgd_with_momentum(rate: float) -> keras.optimizers.Optimizer:
    """Return SGD with the momentum 7/8, which is exact in float32."""
    return keras.optimizers.SGD(rate, momentum=MOMENTUM)


def sgd_epoch(
    recorder: TraceRecorder,
    samples: Samples,
    optimizer: keras.optimizers.Optimizer,
    on_step: Callable[[], object],
) -> list[dict[str, Any]]:
    """Train one epoch of SGD with momentum and return the entries of the stage "epoch".

    Args:
        recorder: recorder of a model at its initial weights.
        samples: the data, whose test samples are evaluated.
        optimizer: an optimizer from `sgd_with_momentum`.
        on_step: called after each step.

    Returns:
        Entries of the loss of each step, the running loss (float64, one value per step), and the
        error of each test sample after the epoch.
    """
    recorder.model.optimizer = optimizer
    losses = _losses(recorder, recorder.steps_per_epoch, on_step)
    sizes = recorder.batch_sizes()
    running = np.cumsum(losses * np.array(sizes)) / np.cumsum(sizes)
    return [
        *(entry(f"step {n}", loss) for n, loss in enumerate(losses, 1)),
        entry("running loss", running, each=True),
        entry("error of each test sample", _test_errors(recorder.model, samples), each=True),
    ]


def train_epochs(
    recorder: TraceRecorder, samples: Samples, epochs: int, on_step: Callable[[], object]
) -> list[dict[str, Any]]:
    """Train with the model's own optimizer and return the entries of the stage "training".

    Args:
        recorder: recorder of a model at its initial weights.
        samples: the data, whose test samples are evaluated.
        epochs: number of epochs.
        on_step: called after each step.

    Returns:
        Two entries: the losses of the first epoch's steps, and the mean squared error of the test
        samples at the end.
    """
    losses = _losses(recorder, epochs * recorder.steps_per_epoch, on_step)
    error = float(np.mean(_test_errors(recorder.model, samples)))
    name = f"test error after {epochs} epoch{'s' if epochs > 1 else ''}"
    return [entry("losses", losses[: recorder.steps_per_epoch]), entry(name, error)]


def training_by_plan(
    recorder: TraceRecorder, samples: Samples, epochs: int
) -> list[dict[str, Any]]:
    """Train with `ae_multi.fit` and the recorder's plan; return the stage "training".

    Args:
        recorder: recorder of a model at its initial weights, with a plan.
        samples: the data, whose test samples are evaluated.
        epochs: number of epochs.

    Returns:
        One entry, the mean squared error of the test samples at the end.
    """
    fit(
        recorder.model,
        model_builder.one_or_list(recorder.xs),
        model_builder.one_or_list(recorder.ys),
        batch_size=recorder.batch_size,
        epochs=epochs,
        seed=recorder.seed,
        plan=recorder.plan,
        verbose=0,
    )
    error = float(np.mean(_test_errors(recorder.model, samples)))
    return [entry("test error", error)]


def _losses(recorder: TraceRecorder, steps: int, on_step: Callable[[], object]) -> np.ndarray:
    losses = []
    for step in range(steps):
        losses.append(float(recorder.step(step)))
        on_step()
    return np.array(losses)


def _test_errors(model: keras.Model, samples: Samples) -> np.ndarray:
    """Return the mean squared error of each test sample over all outputs: float64, shape (n,).

    If targets have another shape than their output, they count as zeros.
    """
    outputs = model.predict(model_builder.one_or_list(samples.tests), batch_size=1024, verbose=0)
    errors = [
        squared_errors(y if y.shape == output.shape else np.zeros_like(output), output)
        for y, output in zip(samples.test_ys, keras.tree.flatten(outputs), strict=True)
    ]
    return np.mean(errors, axis=0)
