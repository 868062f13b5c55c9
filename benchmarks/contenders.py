"""Who is timed: a loop by hand, this package and Keras's own `fit`, on one network and data.

    native      a loop written by hand for the framework, `benchmarks/native/`, in the way that is
                fastest for the network
    ours        `Autoencoder.fit`, by the plan that a long training chooses
    keras.fit   the same layers as a plain `keras.Sequential`, trained by `keras.Model.fit`

Training is timed from the second epoch of a fit on, when the data are in place and all is
compiled.
"""

import importlib
import time
from functools import partial

import numpy as np

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi.backends.layer_queries import has_convolutions
from ae_multi.training.loop import BatchOrder
from benchmarks.native.description import describe

# A plan is chosen for a thousand epochs, of at most so many steps.
_CHOSEN = 500


class Contenders:
    """The contenders for one network.

    Args:
        make: function that returns the compiled `Autoencoder`, the same each time.
        x: samples.
        batch_size: samples in a step.
        checked: over so many steps the losses have to be the same.

    Attributes:
        way: the way that the loop by hand runs.
        ours: the `Autoencoder`.
        theirs: the plain Keras model.
        plan: the `Plan` that a long training of ours chose.
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
        """Train so many epochs; return the seconds that each took."""
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
        """Samples per second of each in training: medians over epochs taken in turns.

        Another one begins each turn, so that none is always timed after the same.

        Args:
            names: contenders.
            repeats: turns of each.
            least: a turn takes at least about so many seconds.
        """
        # One epoch of each to compile what is left, which tells how long one takes. A single turn
        # is for epochs so long that a fit's second one is all that is waited for.
        epochs = dict.fromkeys(names, 1)
        for name in names if repeats > 1 else ():
            once = self.train(name, 1)[0]
            epochs[name] = max(1, round(least / max(once, 1e-4)))
        found = {name: [] for name in names}
        for turn in range(repeats):
            first = turn % len(names)
            for name in (*names[first:], *names[:first]):
                found[name] += self.train(name, epochs[name])
        return {name: len(self.x) / float(np.median(times)) for name, times in found.items()}

    def _native_epoch(self):
        for rows in self._order.epoch(0):
            if rows.size:
                self._native(rows)

    def _check_same(self, steps):
        """Some steps without shuffling: the same losses, or the timing means nothing."""
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
    """The `Plan` that a long training of an `Autoencoder` chooses; it is trained for a while."""
    steps = min(-(-len(x) // batch_size), _CHOSEN)
    fitting = {"batch_size": batch_size, "steps_per_epoch": steps, "verbose": 0}
    return model.fit(x, epochs=1000, callbacks=[_OneEpoch()], **fitting).plan


def plain(model):
    """The layers of an `Autoencoder` as a plain Keras model."""
    shape = model.encoder.input_shape[1:]
    made = keras.Sequential([keras.Input(shape), *model.encoder.layers, *model.decoder.layers])
    made.compile(keras.optimizers.Adam(1e-3), "mse")
    return made


def native(model, x, way=None):
    """The loop by hand: a function of int32 (steps, batch) that returns each step's loss.

    Args:
        model: the `Autoencoder` that it equals.
        x: samples.
        way: a name among the ways of `benchmarks.native`, or None for the first.
    """
    module = _loop()
    layers = describe([*model.encoder.layers, *model.decoder.layers])
    return module.train(layers, x, 1e-3, way or module.WAYS[0])


def ways(model):
    """Names of the ways in which the loop by hand can run."""
    return [way for way in _loop().WAYS if not (way == "xla" and _never_compiles(model))]


def fastest_way(model, x, order):
    """The way in which the loop by hand is fastest, timed over a second or so of steps."""
    known = ways(model)
    full, rest = order.epoch(0)
    rows = full if len(full) else rest
    times = {}
    for way in known if len(known) > 1 else ():
        epoch = native(model, x, way)
        epoch(rows[:1])
        once = max(seconds(partial(epoch, rows[:1])), 1e-5)
        some = rows[: int(np.clip(0.5 / once, 1, len(rows)))]
        epoch(some)
        times[way] = min(seconds(partial(epoch, some)) / len(some) for _ in range(3))
    return min(times, key=times.get, default=known[0])


def _never_compiles(model):
    """Whether XLA would work for minutes on convolutions, as it does on a CPU."""
    return backends.current().device().startswith("cpu") and has_convolutions(model)


def _loop():
    return importlib.import_module(f"benchmarks.native.{keras.config.backend()}_loop")


def seconds(job):
    """Wall time of ``job()``, to the end of the device's work."""
    begin = time.perf_counter()
    job()
    backends.current().wait()
    return time.perf_counter() - begin


class _OneEpoch(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = True


class Clock(keras.callbacks.Callback):
    """Notes the seconds that each epoch takes, to the end of the device's work."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        """Begin."""
        self._begin = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Note how long it took."""
        backends.current().wait()
        self.seconds.append(time.perf_counter() - self._begin)
