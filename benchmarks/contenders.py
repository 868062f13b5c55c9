"""Contenders: a hand-written loop, this package and Keras's `fit`, on the same network and data.

    native      a hand-written loop for the framework, `benchmarks/native/`, in the variant that is
                fastest for the network
    ours        `Autoencoder.fit`, with the plan that a long training chooses
    keras.fit   the same layers as a plain `keras.Sequential`, trained by `keras.Model.fit`

Training is timed from the second epoch on, when the data is on the device and everything is
compiled.
"""

import importlib
import time
from functools import partial

import numpy as np

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi.backends.layer_queries import has_convolutions
from ae_multi.data.batches import BatchOrder
from benchmarks.native.description import describe

# The plan is that of a training of 1,000 epochs with at most this number of steps each.
_MAX_STEPS_PER_EPOCH = 500


class Contenders:
    """The contenders for one network.

    Args:
        make: function that returns a compiled `Autoencoder`, each time with the same weights.
        x: samples.
        batch_size: samples per step.
        checked: number of first steps over which the losses of all contenders must be equal.

    Attributes:
        way: name of the variant of the hand-written loop.
        ours: the `Autoencoder`.
        theirs: the plain Keras model.
        plan: the `Plan` that a long training of ``ours`` chooses.

    Raises:
        AssertionError: the losses differ.
    """

    def __init__(self, make, x, batch_size, checked=10):
        backends.current().full_precision()
        self.x, self.batch_size = x, batch_size
        self.ours, self.theirs = make(), plain(make())
        self._order = BatchOrder(len(x), batch_size, 0)
        self.way = fastest_way(make(), x, self._order)
        self._native = native(make(), x, self.way)
        self._fitting = {"batch_size": batch_size, "verbose": 0}
        self._check_same(checked)
        self.plan = chosen(self.ours, x, batch_size)

    def train(self, name, epochs):
        """Train a contender for a number of epochs; return the seconds of each epoch."""
        if name == "native":
            return [seconds(self._native_epoch) for _ in range(epochs)]
        clock = Clock()
        fitting = {**self._fitting, "epochs": epochs + 1, "callbacks": [clock]}
        if name == "ours":
            self.ours.fit(self.x, plan=self.plan.name, **fitting)
        else:
            self.theirs.fit(self.x, self.x, **fitting)
        return clock.seconds[1:]

    def compare(self, names=("native", "ours", "keras.fit"), repeats=5, least=0.0):
        """Return the samples per second of each contender in training.

        They are medians over epochs. The contenders take turns, and each turn starts with another
        one, so that none is always timed after the same.

        Args:
            names: names of the contenders.
            repeats: number of turns.
            least: minimum duration of a contender's turn in seconds, approximately.
        """
        # One epoch of each completes the compilation and measures the duration of an epoch. With a
        # single turn, for very long epochs, only the second epoch of one fit is timed.
        epochs = dict.fromkeys(names, 1)
        for name in names if repeats > 1 else ():
            once = self.train(name, 1)[0]
            epochs[name] = max(1, round(least / max(once, 1e-4)))
        times = {name: [] for name in names}
        for turn in range(repeats):
            first = turn % len(names)
            for name in (*names[first:], *names[:first]):
                times[name] += self.train(name, epochs[name])
        return {name: len(self.x) / float(np.median(each)) for name, each in times.items()}

    def _native_epoch(self):
        for rows in self._order.epoch(0):
            if rows.size:
                self._native(rows)

    def _check_same(self, steps):
        """Run some steps without shuffling and check that all contenders have equal losses."""
        few = self.x[: steps * self.batch_size]
        losses = [
            self.ours.fit(few, shuffle=False, **self._fitting).history["loss"][0],
            self.theirs.fit(few, few, shuffle=False, **self._fitting).history["loss"][0],
        ]
        by_hand = [
            (rows.size, self._native(rows).mean())
            for rows in BatchOrder(len(few), self.batch_size, None).epoch(0)
            if rows.size
        ]
        sizes, means = zip(*by_hand, strict=True)
        losses.append(np.average(means, weights=sizes))
        np.testing.assert_allclose(losses, losses[0], rtol=1e-5)


def chosen(model, x, batch_size):
    """Return the `Plan` that a long training of a model chooses; the model is trained briefly."""
    steps = min(-(-len(x) // batch_size), _MAX_STEPS_PER_EPOCH)
    fitting = {"batch_size": batch_size, "steps_per_epoch": steps, "verbose": 0}
    return model.fit(x, epochs=1000, callbacks=[_OneEpoch()], **fitting).plan


def plain(model):
    """Return the layers of an `Autoencoder` as a compiled plain Keras model."""
    shape = model.encoder.input_shape[1:]
    result = keras.Sequential([keras.Input(shape), *model.encoder.layers, *model.decoder.layers])
    result.compile(keras.optimizers.Adam(1e-3), "mse")
    return result


def native(model, x, way=None):
    """Return the hand-written loop for a model.

    Args:
        model: an `Autoencoder`.
        x: samples.
        way: name of a variant of `benchmarks.native`, or None for the first.

    Returns:
        Function of int32 (steps, batch), indices of samples, that returns the loss of each step.
    """
    module = _loop()
    layers = describe([*model.encoder.layers, *model.decoder.layers])
    return module.train(layers, x, 1e-3, way or module.WAYS[0])


def ways(model):
    """Return the names of the variants of the hand-written loop that the model can use."""
    return [way for way in _loop().WAYS if not (way == "xla" and _never_compiles(model))]


def fastest_way(model, x, order):
    """Return the fastest variant of the hand-written loop, timed over about a second of steps."""
    names = ways(model)
    full, rest = order.epoch(0)
    rows = full if len(full) else rest
    times = {}
    for way in names if len(names) > 1 else ():
        epoch = native(model, x, way)
        epoch(rows[:1])
        once = max(seconds(partial(epoch, rows[:1])), 1e-5)
        some = rows[: int(np.clip(0.5 / once, 1, len(rows)))]
        epoch(some)
        times[way] = min(seconds(partial(epoch, some)) / len(some) for _ in range(3))
    return min(times, key=times.get, default=names[0])


def _never_compiles(model):
    """Return whether XLA would take minutes to compile, as it does for convolutions on a CPU."""
    return backends.current().device().startswith("cpu") and has_convolutions(model)


def _loop():
    return importlib.import_module(f"benchmarks.native.{keras.config.backend()}_loop")


def seconds(job):
    """Return the wall time of ``job()`` in seconds, including asynchronous work of the device."""
    begin = time.perf_counter()
    job()
    backends.current().wait()
    return time.perf_counter() - begin


class _OneEpoch(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = True


class Clock(keras.callbacks.Callback):
    """Callback that records the seconds of each epoch, including work of the device.

    Attributes:
        seconds: list of seconds, one for each epoch.
    """

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        """Record the start."""
        self._begin = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Record the duration."""
        backends.current().wait()
        self.seconds.append(time.perf_counter() - self._begin)
