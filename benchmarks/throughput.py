"""How fast each backend trains, encodes and reconstructs, beside what Keras does by itself.

A parent without a framework starts one process a backend, one after another. Each checks first
that all contenders compute the same losses from the same start, then times them in turn:

    native      a loop written by hand for that framework, `benchmarks/native/`
    ours        `Autoencoder.fit` on arrays, by the plan that a long training chooses
    keras.fit   the same layers as a plain `keras.Sequential`, trained by `keras.Model.fit`
    encode      `Autoencoder.encode` of all images, batches of 1,024
    reconstruct `Autoencoder.reconstruct` of all images, batches of 1,024
    predict     what `keras.Model.predict` does for the same images, batches of 1,024

Training is timed in the second epoch of a fit, when data are in place and all is compiled. Apart
from these it reports the seconds to the end of a first epoch of ours and of two epochs of
Keras's, each of a fresh model, compiling included.

Run it with ``nox -s bench``; ``nox -s bench -- --help`` shows what can be asked for.
"""

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from rich.table import Table

from ae_multi.cli.options import add_backend_options, model_names
from ae_multi.files import check_writable
from ae_multi.parity import Settings
from ae_multi.recipes import Recipe
from ae_multi.report.json import write_json
from ae_multi.report.machine import machine
from ae_multi.report.tables import console

CONTENDERS = ("native", "ours", "keras.fit", "encode", "reconstruct", "predict")


def main():
    """Measure every backend and print a table; return the exit status."""
    options = _parser().parse_args()
    if options.measure:
        print(json.dumps(measure(**json.loads(options.measure))))
        return 0
    if options.json:
        check_writable(options.json, "the JSON")
    settings = Settings(backends=options.backends, pythons=dict(options.python))
    log, results = console(stderr=True), []
    for backend in settings.available()[0]:
        for model in options.model:
            log.print(f"{backend}: {model}")
            job = {"model": model, "batch_size": options.batch_size, "repeats": options.repeats}
            done = subprocess.run(
                [settings.python(backend), __file__, "--measure", json.dumps(job)],
                env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "2"},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                log.print(done.stderr, style="red", markup=False)
                return 1
            results.append(json.loads(done.stdout.splitlines()[-1]))
    console().print(table(results))
    if options.json:
        write_json(options.json, {"machine": machine(), "results": results})
    return 0


def measure(model, batch_size, repeats):
    """Samples per second of each contender on this process's backend: medians over repeats."""
    import numpy as np

    from ae_multi import backends
    from ae_multi._keras import keras
    from ae_multi.data import load_data
    from ae_multi.parity.record import describe
    from ae_multi.recipes.train import build
    from ae_multi.training.loop import Order

    backends.current().full_precision()
    data = load_data("auto")
    x = data.x_train
    recipe = Recipe(model, batch_size=batch_size)

    def plain():
        twin = build(recipe, data.image_shape)
        layers = [*twin.encoder.layers, *twin.decoder.layers]
        made = keras.Sequential([keras.Input(data.image_shape), *layers])
        made.compile(optimizer=keras.optimizers.Adam(recipe.learning_rate), loss="mse")
        return made

    def native():
        module = importlib.import_module(f"native.{keras.config.backend()}_loop")
        layers = [
            (*map(np.array, layer.get_weights()), layer.activation.__name__)
            for layer in plain().layers
            if isinstance(layer, keras.layers.Dense)
        ]
        flat = x.reshape(len(x), -1)
        return module.train(layers, flat, batch_size, recipe.learning_rate)

    def seconds(job):
        begin = time.perf_counter()
        job()
        backends.current().wait()
        return time.perf_counter() - begin

    fitting = {"batch_size": batch_size, "verbose": 0}
    first = {
        "ours, one epoch": seconds(lambda: build(recipe, data.image_shape).fit(x, **fitting)),
        "keras.fit, two epochs": seconds(lambda: plain().fit(x, x, epochs=2, **fitting)),
    }

    # Ten steps without shuffling: the same losses, or the timing means nothing.
    ours, theirs, by_hand = build(recipe, data.image_shape), plain(), native()
    full, _ = Order(len(x), batch_size, None).epoch(0)
    few = x[: 10 * batch_size]
    losses = [
        ours.fit(few, shuffle=False, **fitting).history["loss"][0],
        theirs.fit(few, few, shuffle=False, **fitting).history["loss"][0],
        by_hand(full[:10]).mean(),
    ]
    np.testing.assert_allclose(losses, losses[0], rtol=1e-5)

    class OneEpoch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    plan = ours.fit(x, epochs=1000, callbacks=[OneEpoch()], **fitting).plan
    order = Order(len(x), batch_size, 0)

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.begin = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            backends.current().wait()
            self.seconds = time.perf_counter() - self.begin

    def second_epoch(fit, *data, **rest):
        # Like a hand-written loop, `fit` takes the data to the device once, before the first.
        clock = Clock()
        fit(*data, epochs=2, callbacks=[clock], **fitting, **rest)
        return clock.seconds

    jobs = {
        "native": lambda: seconds(lambda: [by_hand(rows) for rows in order.epoch(0) if rows.size]),
        "ours": lambda: second_epoch(ours.fit, x, plan=plan.name),
        "keras.fit": lambda: second_epoch(theirs.fit, x, x),
        "encode": lambda: seconds(lambda: ours.encode(x)),
        "reconstruct": lambda: seconds(lambda: ours.reconstruct(x)),
        "predict": lambda: seconds(lambda: theirs.predict(x, batch_size=1024, verbose=0)),
    }
    for job in jobs.values():
        job()  # compile, and fill caches
    times = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            times[name].append(job())
    return {
        **describe(),
        "precision": "float32, TF32 off",
        "model": model,
        "data": data.name,
        "batch_size": batch_size,
        "repeats": repeats,
        "plan": {"name": plan.name, "why": plan.why},
        "first_seconds": first,
        "samples_per_second": {
            name: len(x) / statistics.median(found) for name, found in times.items()
        },
    }


def table(results):
    """A row for each model and backend."""
    made = Table("model", "backend", "device", title="Samples per second", title_justify="left")
    for name in CONTENDERS:
        made.add_column(name, justify="right")
    for name in ("ours / native", "ours / keras.fit", "plan"):
        made.add_column(name, justify="right")
    for result in results:
        rates = result["samples_per_second"]
        made.add_row(
            result["model"],
            f"{result['backend']} {result['versions'][result['backend']]}",
            result["device"],
            *(f"{rates[name]:,.0f}" for name in CONTENDERS),
            f"{rates['ours'] / rates['native']:.2f}",
            f"{rates['ours'] / rates['keras.fit']:.2f}",
            result["plan"]["name"],
        )
    return made


def _parser():
    parser = argparse.ArgumentParser(prog="bench", description=__doc__.partition("\n")[0])
    add_backend_options(parser)
    parser.add_argument("--model", type=model_names, default=model_names("all"), metavar="NAMES")
    parser.add_argument("--batch-size", type=int, default=128, metavar="N")
    parser.add_argument("--repeats", type=int, default=5, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
