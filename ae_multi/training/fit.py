"""`keras.Model.fit` for arrays, at the speed of the framework that Keras runs on."""

from dataclasses import replace

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi._keras_internals import build_symbolically, optimizer_variables
from ae_multi.backends.device_data import forget, known
from ae_multi.backends.snapshot import Reachable
from ae_multi.checkpoints.checkpointing import Checkpoints, check_unsaved, saver_of
from ae_multi.data.arrays import (
    NotArraysError,
    as_data,
    first,
    is_stream,
    length,
    split,
    to_device,
)
from ae_multi.data.batches import EpochSetter, KerasBatches
from ae_multi.errors import InputError
from ae_multi.training.epochs import offset_for, set_epochs
from ae_multi.training.fallback import why_keras
from ae_multi.training.limits import batches_of, limited_epochs
from ae_multi.training.loop import MAX_STEPS_PER_RUN, BatchOrder, Loop, closing
from ae_multi.training.plan import by_keras, choose
from ae_multi.training.progress import progress_for
from ae_multi.training.validation import validator
from ae_multi.validation import check_positive


def fit(
    model,
    x,
    y=None,
    batch_size=None,
    epochs=1,
    verbose="auto",
    callbacks=None,
    validation_split=0.0,
    validation_data=None,
    shuffle=True,
    class_weight=None,
    sample_weight=None,
    initial_epoch=0,
    steps_per_epoch=None,
    validation_steps=None,
    validation_batch_size=None,
    validation_freq=1,
    seed=None,
    plan=None,
    checkpoint=None,
    checkpoint_every="1 epoch",
    keep=3,
    resume=False,
):
    """Train a compiled Keras model on arrays, many steps in one program of the framework.

    Takes what `keras.Model.fit` takes and does what it does: the same losses, weights, optimizer
    state, metrics and callbacks, to rounding. Four things differ. The order of samples depends
    on (seed, epoch) alone and is the same on every backend. ``steps_per_epoch`` takes that many
    batches of each epoch's order. A loss that is no number ends the training. On PyTorch Keras's
    `Dropout` draws from the global generator, and so does Keras's data loader, which is not used
    here; so the layer draws other numbers (`ae_multi.randomness.Dropout` draws the same ones
    everywhere).

    Epochs are counted for each model, so that every epoch has another order: ten calls of one
    epoch see the batches of one call of ten, and with one ``plan`` give the same bits. A call with
    another ``initial_epoch`` than 0 continues the numbering of the call before it. Compiling the
    model again or another ``seed`` does not change the count; a copy of the model begins at 0.
    Checkpoints hold the count, and so do the files of this package's models.

    Streams, text, sparse and ragged tensors are left to Keras, which feeds them in its own order.

    Python code of a model's own runs as in Keras: at each step on PyTorch where it changes or
    reads what changes, and on TensorFlow and JAX where a step is traced. How often these trace is
    not defined, and a trace that was made to compare plans leaves attributes as they were.

    Callbacks that do something at each batch are asked at each, and then steps are run one by
    one. The others see runs of many steps.

    Args:
        model: any compiled `keras.Model`.
        x: inputs: an array or nested arrays, as stored; bytes stay bytes on the device.
        y: targets in the same way, or None.
        batch_size: samples in a step; the last batch of an epoch may be smaller. None is 32, or,
            with ``steps_per_epoch``, what makes so many batches of all samples.
        epochs: the epoch to train up to.
        verbose: 0 for silence, 1 for a progress bar, 2 for a line an epoch, "auto" for 1.
        callbacks: Keras callbacks, or None.
        validation_split: share of the samples, the last, to validate on.
        validation_data: (x, y) or (x, y, sample_weight) to validate on, or a stream.
        shuffle: False keeps the samples' own order; "batch" changes it within each batch.
        class_weight: dict of class to weight, where ``y`` is one array of labels.
        sample_weight: a weight for each sample, in the structure of ``y``.
        initial_epoch: the epoch to begin with.
        steps_per_epoch: batches of an epoch, or None for all.
        validation_steps: batches of a validation, or None for all.
        validation_batch_size: samples in a batch of a validation; by default ``batch_size``.
        validation_freq: epochs from one validation to the next, or the epochs that have one.
        seed: integer that fixes the order; None takes the model's own ``seed``, or 0.
        plan: how steps are run: a name among the backend's plans, "keras" for Keras's own `fit`,
            or None to choose by measurement (`ae_multi.training.plan`).
        checkpoint: folder for checkpoints, from which a training that was broken off goes on, or
            None; see docs/checkpoints.md.
        checkpoint_every: from one to the next: "1 epoch", "500 steps", "5 minutes".
        keep: how many stay, the newest.
        resume: whether to go on from the newest one that is whole, where there is one.

    Returns:
        A `keras.callbacks.History` whose ``plan`` says what ran and why, and whose
        ``resumed_from`` is the `Position` of the checkpoint that it went on from, or None.

    Raises:
        InputError: arrays that do not fit each other, sizes below 1, an unknown plan; a folder of
            checkpoints that cannot be written, or that another training's are in.
        DivergenceError: a loss that is NaN or infinite; the model keeps its last good weights.
    """
    if not model.compiled:
        raise InputError("Expected a compiled model. Received: one without model.compile().")
    check_positive(epochs=epochs, batch_size=batch_size, steps_per_epoch=steps_per_epoch)
    checkpoints = Checkpoints.asked(checkpoint, checkpoint_every, keep, resume)
    options = {
        "epochs": epochs,
        "verbose": verbose,
        "callbacks": callbacks,
        "initial_epoch": initial_epoch,
        "validation_freq": validation_freq,
        "validation_steps": validation_steps,
        "validation_batch_size": validation_batch_size or batch_size,
    }
    try:
        data = as_data(x, y, sample_weight, class_weight)
    except NotArraysError as error:
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
    samples = length(data)
    batch_size, steps_per_epoch = batches_of(samples, batch_size, steps_per_epoch)
    if seed is None:
        seed = getattr(model, "seed", None) or 0
    order = BatchOrder(
        samples,
        batch_size,
        seed if shuffle else None,
        steps_per_epoch,
        within_batches=shuffle == "batch",
        offset=offset_for(model, initial_epoch),
    )
    reason = _reason_for_keras(model, plan)
    if reason is not None:
        check_unsaved(checkpoints, reason)
        history = _fit_by_keras(model, data, order, validation_data, options)
        history.plan = by_keras(reason)
        return history
    return _fit_by_plan(model, data, order, validation_data, options, plan, checkpoints)


def _reason_for_keras(model, plan):
    """Return why Keras's `fit` trains ``model``, or None where a plan does."""
    if model.optimizer is None:
        return "the model is compiled without an optimizer"
    return "plan='keras' asks for it" if plan == "keras" else why_keras(model)


def _fit_by_keras(model, data, order, validation_data, options):
    """Train by Keras's `fit` on the batches of ``order``."""
    adapter = KerasBatches(data, order.batch_size, order.seed, order.steps, order.within_batches)
    setter = EpochSetter(adapter.batches, order.offset, lambda *epochs: set_epochs(model, *epochs))
    return keras.Model.fit(
        model,
        adapter,
        shuffle=False,
        validation_data=validation_data,
        **{**options, "callbacks": with_first(setter, options["callbacks"])},
    )


def _fit_by_plan(model, data, order, validation_data, options, plan, checkpoints):
    """Train by a plan of the backend: the named one, or for None the fastest."""
    epochs, verbose, callbacks = (options[name] for name in ("epochs", "verbose", "callbacks"))
    initial_epoch, batch_size = options["initial_epoch"], order.batch_size
    build_symbolically(model, first(data, batch_size))
    _check_optimizer(model)
    device_data = to_device(data)
    max_steps = max(1, min(MAX_STEPS_PER_RUN, order.samples // batch_size))

    def make(name):
        return backends.current().Steps(model, device_data, name, True, batch_size, max_steps)

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
    with closing(callbacks), saver_of(checkpoints, *training, epochs, verbose) as saver:
        full, rest = order.epoch(initial_epoch)
        batches, count = full if len(full) else rest, order.steps * (epochs - initial_epoch)
        built = known(model)
        steps, chosen = choose(make, model, device_data, batches, count, plan, saver.plan)
        begin = _renewing(model, steps, lambda: make(chosen.name), built)
        saver.plan = chosen.name
        validate = validator(
            model,
            validation_data,
            callbacks,
            options["validation_freq"],
            options["validation_steps"],
            options["validation_batch_size"],
        )
        loop = Loop(model, steps, order, callbacks, progress, validate, saver, begin, data)
        loop.train(initial_epoch, epochs)
        ran = getattr(loop.steps, "plan", chosen.name)
        if ran != chosen.name:
            chosen = replace(chosen, name=ran, why=f"{chosen.why}; begun as {chosen.name}")
    model.history.plan, model.history.resumed_from = chosen, saver.position
    return model.history


def _renewing(model, steps, make, built):
    """The function by which the first step of a training gets its program.

    A program has as constants what Python values were when it was made. Keras makes it after
    callbacks have begun the first epoch. One that was made for a trial before is made again
    where they changed such a value.
    """
    if not known(model) - built:  # no trial made a program
        return lambda: steps
    values = backends.current().values(Reachable(model), _inputs(model))

    def begin():
        if values.changed() is None:
            return steps
        forget(model, known(model) - built)
        return make()

    return begin


def _inputs(model):
    """The variables that are inputs of a program on each backend."""
    return [*model.variables, *model.optimizer.variables, *model.metrics_variables]


def with_first(callback, callbacks):
    """``callbacks`` as Keras takes them, with one more in front."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks.append(callback)
        return callbacks
    return [callback, *keras.tree.flatten(callbacks or [])]


def _check_optimizer(model):
    known = {id(variable) for variable in optimizer_variables(model.optimizer)}
    if any(id(variable) not in known for variable in model.trainable_variables):
        raise InputError(
            "Expected an optimizer that holds state for this model's weights. Received: one that "
            "was built for others. Compile the model with a new optimizer."
        )
