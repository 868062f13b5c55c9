"""Whole trainings of a model, recorded step by step."""

import math

import numpy as np

from ae_multi._keras import keras
from ae_multi.metrics import squared_errors
from ae_multi.parity import model_builder
from ae_multi.parity.trace_recorder import entry
from ae_multi.training.fit import fit

# Seven eighths and a power of two are float32 numbers, so that backends and the float64 oracle
# run the same optimizer to the last bit: .9 would move a whole epoch's losses by 3e-7.
MOMENTUM = 0.875
_LARGEST_RATE = 0.25
_LOWERED = 0.01


def gentle_rate(gradient_entries):
    """A learning rate for SGD with momentum that does not make a training chaotic.

    To first order one step lowers the loss by rate · |gradient|²: the largest power of two up to
    1/4 with which that is a hundredth of the loss.

    Args:
        gradient_entries: the entries of the stage "gradient": the loss, then each gradient.
    """
    loss, *gradients = (np.asarray(found["values"], np.float64) for found in gradient_entries)
    square = sum(float(np.sum(gradient**2)) for gradient in gradients)
    if not (square > 0 and math.isfinite(square) and abs(loss) > 0):
        return _LARGEST_RATE
    return min(_LARGEST_RATE, 2.0 ** math.floor(math.log2(_LOWERED * abs(float(loss)) / square)))


def gentle_sgd(rate):
    """SGD with momentum, of numbers that float32 holds exactly."""
    return keras.optimizers.SGD(rate, momentum=MOMENTUM)


def sgd_epoch(recorder, samples, optimizer, on_step):
    """Entries of the stage "epoch": one epoch of SGD with momentum.

    Args:
        recorder: the `TraceRecorder` of a model at its start, not trained yet.
        samples: the `Samples`, for those to test on.
        optimizer: what `gentle_sgd` returned.
        on_step: called after each step.

    Returns:
        Each step's loss, the running loss, and each test sample's error after the epoch.
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


def own_training(recorder, samples, epochs, on_step):
    """Entries of the stage "training": some epochs of the optimizer that the model came with.

    Args:
        recorder: the `TraceRecorder` of a model at its start, not trained yet.
        samples: the `Samples`, for those to test on.
        epochs: how many.
        on_step: called after each step.

    Returns:
        The losses of the first epoch's steps, and the mean error of the test samples at the end.
    """
    losses = _losses(recorder, epochs * recorder.steps_per_epoch, on_step)
    error = float(np.mean(_test_errors(recorder.model, samples)))
    name = f"test error after {epochs} epoch{'s' if epochs > 1 else ''}"
    return [entry("losses", losses[: recorder.steps_per_epoch]), entry(name, error)]


def training_by_plan(recorder, samples, epochs):
    """The stage "training" as `ae_multi.fit` runs it by the recorder's plan.

    Args:
        recorder: the `TraceRecorder` of a model at its start, not trained yet, with a plan.
        samples: the `Samples`, for those to test on.
        epochs: how many.

    Returns:
        The mean error of the test samples at the end, as the only entry.
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


def _losses(recorder, steps, on_step):
    losses = []
    for step in range(steps):
        losses.append(float(recorder.step(step)))
        on_step()
    return np.array(losses)


def _test_errors(model, samples):
    """Mean squared error of each test sample, over all outputs: float64 of shape (n,)."""
    outputs = model.predict(model_builder.one_or_list(samples.tests), batch_size=1024, verbose=0)
    errors = [
        squared_errors(y if y.shape == output.shape else np.zeros_like(output), output)
        for y, output in zip(samples.test_ys, keras.tree.flatten(outputs), strict=True)
    ]
    return np.mean(errors, axis=0)
