"""Replacement of `keras.Model.fit` that runs many steps in one program of the framework."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any, Literal

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi._keras_internals import build_symbolically, optimizer_variables
from ae_multi.argument_checks import check_positive
from ae_multi.backends.device_data import forget, known
from ae_multi.backends.reachable import Reachable
from ae_multi.checkpoints.checkpointing import Checkpoints, check_unsaved, saver_of
from ae_multi.data.arrays import (
    NotArraysError,
    as_data,
    first,
    is_stream,
    length,
    split,
)
from ae_multi.data.batches import EpochSetter, KerasBatches
from ae_multi.data.source import has_sources
from ae_multi.errors import InputError
from ae_multi.training.epochs import offset_for, set_epochs
from ae_multi.training.fallback import why_keras
from ae_multi.training.keras_batches import (
    batches_for_keras,
    check_combined,
    validation_for_keras,
)
from ae_multi.training.limits import batches_of, limited_epochs
from ae_multi.training.loop import MAX_STEPS_PER_RUN, Loop, closing
from ae_multi.training.plan import by_keras, choose, choose_for_workers
from ae_multi.training.progress_bar import progress_for
from ae_multi.training.signals import defer_signals
from ae_multi.training.validation import validator
from ae_multi.training.windows import batches_in, order_of
from ae_multi.workers.decisions import Decisions
from ae_multi.workers.group import current
from ae_multi.workers.self_check import check_split
from ae_multi.workers.state import check_equal, copy_from_first
from ae_multi.workers.training import check_arguments, check_batch_size, refuse


def fit(
    model: keras.Model,
    x: Any,
    y: Any = None,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: int | str = "auto",
    callbacks: Any = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: bool | str = True,
    class_weight: Mapping[int, float] | None = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: int | Sequence[int] = 1,
    seed: int | None = None,
    plan: str | None = None,
    order: Literal["global", "blocks"] | None = None,
    window: int | str = "64 MiB",
    checkpoint: PathLike[str] | str | Checkpoints | None = None,
    checkpoint_every: str = "1 epoch",
    keep: int = 3,
    resume: bool = False,
) -> keras.callbacks.History:
    """Train a compiled Keras model on arrays, many steps in one program of the framework.

    The arguments and the results are those of `keras.Model.fit`: the same losses, weights,
    optimizer state, metrics and callbacks, to rounding. Four things differ:

    - The order of samples depends only on (seed, epoch) and is the same on every backend.
    - With ``steps_per_epoch`` the next epoch continues with the samples that follow, as in Keras.
      If the samples are shuffled, batches at the end of a pass that fill no epoch are left out.
    - A NaN or infinite loss ends the training.
    - On PyTorch, Keras's `Dropout` and Keras's data loader draw from the same global generator.
      The data loader is not used here, so the layer draws different numbers
      (`ae_multi.randomness.Dropout` draws the same numbers on every backend).

    **Epoch count.** Epochs are counted for each model, so that every epoch has a different order:
    ten calls of one epoch see the batches of one call of ten epochs, and with the same ``plan``
    the results are bit-identical. A call with a nonzero ``initial_epoch`` continues the numbering
    of the previous call. Without shuffling, each call begins with the first sample, as in Keras.
    Compiling the model again or changing ``seed`` does not change the count; a copy of the model
    begins at 0. Checkpoints and the files of this package's models store the count.

    **Sources.** Samples of an `ae_multi.source` are read in windows, by a thread that reads ahead.
    With ``order="global"`` the losses are those of the same samples as an array in memory, with
    the same ``plan`` bit for bit. With ``order="blocks"`` blocks of adjacent rows are read in
    random order, and the rows of at least 256 successive blocks are shuffled together: the order
    for storage that reads single rows slowly.

    **Streams.** Keras's own `fit` trains on streams, text, sparse and ragged tensors, in its own
    order.

    **Custom code.** Custom Python code of a model runs as in Keras: at each step on PyTorch if it
    changes state or reads state that changes, and during tracing on TensorFlow and JAX. The number
    of traces is not defined. A trace that compares plans leaves attributes unchanged.

    **Workers.** In a group of workers (docs/workers.md), each computes a part of every batch, with
    the losses of one process. Each worker is given all data and the same arguments; ``batch_size``
    is the size of the complete batch. Worker 0 shows the progress and writes checkpoints. Callbacks
    run in each worker. Before the first step, one batch is computed split and as a whole, and a
    model whose results differ is refused.

    **Callbacks.** If a callback overrides a batch hook, steps run one at a time and the hook is
    called at each batch. Otherwise steps run in runs of many.

    Args:
        model: a compiled `keras.Model`.
        x: inputs, an array, an `ae_multi.source`, or nested such. Floating-point numbers are cast
            to `keras.config.floatx()`. Integers keep their dtype, so uint8 stays uint8 on the
            device.
        y: targets, of the same kinds, or None.
        batch_size: samples per step; the last batch of an epoch may be smaller. None means 32, or
            with ``steps_per_epoch`` the size that divides all samples into that many batches.
        epochs: the epoch to train up to.
        verbose: 0 for no output, 1 for a progress bar, 2 for one line per epoch, "auto" for 1.
        callbacks: list of Keras callbacks, a `keras.callbacks.CallbackList`, or None.
        validation_split: fraction of the samples to validate on, taken from the end; not used with
            ``validation_data``.
        validation_data: (x, y) or (x, y, sample_weight) to validate on, or a stream.
        shuffle: False keeps the order of the samples; "batch" shuffles only within each batch.
        class_weight: dict of class to weight; ``y`` must be one array of labels.
        sample_weight: a weight for each sample, in the structure of ``y``.
        initial_epoch: the epoch to begin with.
        steps_per_epoch: batches per epoch, or None for all.
        validation_steps: batches per validation, or None for all.
        validation_batch_size: samples in a batch of a validation; ``batch_size`` by default.
        validation_freq: number of epochs from one validation to the next, or the epochs to
            validate after.
        seed: integer that determines the order; None means the ``seed`` of the model, or 0.
        plan: the way to run steps: the name of one of the backend's plans, "keras" for Keras's own
            `fit`, or None to choose the fastest by measurement (`ae_multi.training.plan`).
        order: order of the samples of sources, "global" or "blocks"; None for "global" where all
            sources read single rows quickly, otherwise "blocks".
        window: size of the samples that are read at a time, in bytes or as text such as "64 MiB".
            About three windows are in memory.
        checkpoint: folder for checkpoints, from which an interrupted training resumes, or None;
            see docs/checkpoints.md.
        checkpoint_every: interval between checkpoints: "1 epoch", "500 steps", "5 minutes".
        keep: number of checkpoints to keep; older ones are removed.
        resume: whether to resume from the newest complete checkpoint, if there is one.

    Returns:
        A `keras.callbacks.History`. Its ``plan`` is the `Plan` that ran and the reason, and its
        ``resumed_from`` is the `Position` of the checkpoint that the training resumed from, or
        None.

    Raises:
        InputError: a model that is not compiled, an optimizer that was built for other weights,
            arrays of different lengths or structures, data that do not fit on the device, a size
            below 1, an unknown plan, or a checkpoint folder that cannot be written or that
            contains the checkpoints of another training. In a group of workers, also a batch size
            that their number does not divide, and a model or data that they cannot split.
        DivergenceError: a NaN or infinite loss; the model keeps its last finite weights.
        WorkerError: another worker of the group has ended or does not answer, or the workers'
            weights differ.
    """
    if not model.compiled:
        raise InputError("Expected a compiled model. Received: one without model.compile().")
    check_positive(epochs=epochs, batch_size=batch_size, steps_per_epoch=steps_per_epoch)
    checkpoints = Checkpoints.from_arguments(checkpoint, checkpoint_every, keep, resume)
    group = current()
    options = {
        "epochs": epochs,
        "verbose": verbose if group is None or group.rank == 0 else 0,
        "callbacks": callbacks,
        "initial_epoch": initial_epoch,
        "validation_freq": validation_freq,
        "validation_steps": validation_steps,
        "validation_batch_size": validation_batch_size or batch_size,
    }
    try:
        data = as_data(x, y, sample_weight, class_weight)
    except NotArraysError as error:
        check_combined(x, y, sample_weight)
        if group is not None:
            refuse(error.reason)
        check_unsaved(checkpoints, error.reason)
        history = keras.Model.fit(
            model,
            x,
            y,
            batch_size=batch_size,
            validation_split=validation_split,
            validation_data=validation_data,
            shuffle=shuffle,
            class_weight=class_weight,
            sample_weight=sample_weight,
            steps_per_epoch=steps_per_epoch,
            **options,
        )
        history.plan = by_keras(error.reason, warn=not is_stream(x))
        return history
    options["epochs"] = limited_epochs(epochs)
    if validation_split and validation_data is None:
        data, validation_data = split(data, validation_split)
        if class_weight is not None:  # it applies to the training part alone, as in Keras
            validation_data = (*validation_data[:2], None)
    samples = length(data)
    batch_size, steps_per_epoch = batches_of(samples, batch_size, steps_per_epoch)
    check_batch_size(group, batch_size)
    if seed is None:
        seed = getattr(model, "seed", None) or 0
    batches = order_of(
        data,
        order,
        window,
        samples,
        batch_size,
        seed if shuffle else None,
        steps_per_epoch,
        within_batches=shuffle == "batch",
        offset=offset_for(model, initial_epoch),
        initial_epoch=initial_epoch,
    )
    check_arguments(
        group,
        {
            "samples": samples,
            "batch_size": batch_size,
            "epochs": options["epochs"],
            "initial_epoch": initial_epoch,
            "steps per epoch": batches.steps,
            "seed": batches.seed,
            "epochs trained before": batches.offset,
        },
    )
    reason = _reason_for_keras(model, plan)
    if group is not None and reason is None and not backends.current().worker_plans(model):
        reason = "a model with a custom train_step or with a wrapped PyTorch module"
    if group is not None and reason is not None:
        refuse(reason)
    if reason is not None:
        check_unsaved(checkpoints, reason)
        history = _fit_by_keras(model, data, batches, validation_data, options)
        history.plan = by_keras(reason)
        return history
    return _fit_by_plan(model, data, batches, window, validation_data, options, plan, checkpoints)


def _reason_for_keras(model, plan):
    """Return the reason why Keras's `fit` trains ``model``, or None if a plan does."""
    if model.optimizer is None:
        return "the model is compiled without an optimizer"
    return "plan='keras' is requested" if plan == "keras" else why_keras(model)


def _fit_by_keras(model, data, order, validation_data, options):
    """Train by Keras's `fit` on the batches of ``order``."""
    batches, size = None, options["validation_batch_size"]
    validation_data = validation_for_keras(validation_data, size, options["validation_steps"])
    is_uneven = order.seed is None and order.is_uneven
    if is_uneven and has_sources(data):
        all_batches = batches_for_keras(data, order.batch_size, None)
        given = {"x": all_batches, "steps_per_epoch": order.steps}
    elif is_uneven:  # a data set has the same number in each epoch
        names = ("x", "y", "sample_weight")
        given = dict(zip(names, data, strict=True))
        given |= {"batch_size": order.batch_size, "steps_per_epoch": order.steps}
    else:
        adapter = KerasBatches(data, order)
        batches, given = adapter.batches, {"x": adapter}
    setter = EpochSetter(
        batches, lambda epochs: set_epochs(model, order.offset, order.offset + epochs)
    )
    return keras.Model.fit(
        model,
        **given,
        shuffle=False,
        validation_data=validation_data,
        **{**options, "callbacks": with_first(setter, options["callbacks"])},
    )


def _fit_by_plan(model, data, order, window, validation_data, options, plan, checkpoints):
    """Train by the backend's plan of the name ``plan``, or by the fastest if it is None."""
    epochs, verbose, callbacks = (options[name] for name in ("epochs", "verbose", "callbacks"))
    initial_epoch, batch_size = options["initial_epoch"], order.batch_size
    build_symbolically(model, first(data, batch_size))
    _check_optimizer(model)
    group = current()
    if group is not None:
        copy_from_first(group, model)
    progress = None
    if not isinstance(callbacks, keras.callbacks.CallbackList):
        progress = progress_for(batch_size, verbose)
        callbacks = keras.callbacks.CallbackList(
            [*keras.tree.flatten(callbacks or []), *([progress] if progress else [])],
            add_history=True,
            model=model,
            verbose=verbose,
            epochs=epochs,
            steps=order.steps,
        )
    training = model, data, validation_data, order, callbacks.callbacks
    with (
        closing(callbacks),
        contextlib.nullcontext({}) if group is None else defer_signals() as signals,
        saver_of(checkpoints, *training, epochs, verbose, group) as saver,
        batches_in(order, data, window if has_sources(data) else None, epochs) as batches,
    ):
        first_epoch = initial_epoch if saver.position is None else saver.position.epoch
        indices = batches.begin(min(first_epoch, epochs - 1))
        device_data = batches.device_data
        max_steps = max(1, min(MAX_STEPS_PER_RUN, batches.most_steps))

        def make(name):
            return backends.current().Steps(model, device_data, name, True, batch_size, max_steps)

        count = order.steps * (epochs - initial_epoch)
        built = known(model)
        if group is None:
            steps, chosen = choose(make, model, device_data, indices, count, plan, saver.plan)
        else:
            steps, chosen = choose_for_workers(
                make,
                model,
                lambda steps: check_split(group, model, steps, indices[:1]),
                plan,
                saver.plan,
            )
        begin = _current_steps(model, steps, lambda: make(chosen.name), built)
        saver.plan = chosen.name
        validate = validator(
            model,
            validation_data,
            callbacks,
            options["validation_freq"],
            options["validation_steps"],
            options["validation_batch_size"],
        )
        decisions = None if group is None else Decisions(group, signals)
        loop = Loop(
            model, steps, order, batches, callbacks, progress, validate, saver, begin, decisions
        )
        loop.train(initial_epoch, epochs)
        if group is not None:
            check_equal(group, model)
        ran = getattr(loop.steps, "plan", chosen.name)
        if ran != chosen.name:
            chosen = replace(chosen, name=ran, why=f"{chosen.why}; started as {chosen.name}")
    model.history.plan, model.history.resumed_from = chosen, saver.position
    return model.history


def _current_steps(
    model: keras.Model, steps: Any, make: Callable[[], Any], built: set
) -> Callable[[], Any]:
    """Return a function that returns the `Steps` of a training, called before its first run.

    A program contains Python values as constants from the time when it is built. Keras builds it
    after the callbacks have begun the first epoch. If a callback has changed such a value since a
    trial built the program, the program is built again.

    Args:
        model: the model.
        steps: the `Steps` of the chosen plan.
        make: function that builds them again.
        built: keys of the programs that existed before the trial.
    """
    if not known(model) - built:  # no trial built a program
        return lambda: steps
    values = backends.current().values(Reachable(model), _inputs(model))

    def begin():
        if values.changed() is None:
            return steps
        forget(model, known(model) - built)
        return make()

    return begin


def _inputs(model: keras.Model) -> list:
    """Return the variables that are inputs of a program on every backend."""
    return [*model.variables, *model.optimizer.variables, *model.metrics_variables]


def with_first(callback: keras.callbacks.Callback, callbacks: Any) -> Any:
    """Return ``callbacks`` and ``callback``, in a form that Keras accepts.

    ``callback`` is put first in a list, and appended to a `keras.callbacks.CallbackList`.
    """
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks.append(callback)
        return callbacks
    return [callback, *keras.tree.flatten(callbacks or [])]


def _check_optimizer(model):
    known = {id(variable) for variable in optimizer_variables(model.optimizer)}
    if any(id(variable) not in known for variable in model.trainable_variables):
        raise InputError(
            "Expected an optimizer that is not built, or is built for this model's weights. "
            "Received: one that was built for other weights. Compile the model with a new "
            "optimizer."
        )
