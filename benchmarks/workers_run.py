"""One worker of the trainings of `benchmarks.workers`: ``python -m benchmarks.workers_run JOB``."""

import itertools
import json
import os
import sys
from pathlib import Path

from ae_multi.compare.config import ALL_MODELS

# Networks with layers that depend on the batch or draw random numbers.
LAYERED = ("batch_normalization", "dropout", "layer_normalization")
MODELS = (*ALL_MODELS, *LAYERED)


def build_model(name, image_shape):
    """Return a compiled model: a key of `ALL_MODELS`, or a network with one of `LAYERED`."""
    import ae_multi
    from ae_multi._keras import keras
    from ae_multi.compare.config import TrainingConfig
    from ae_multi.compare.train import build

    if name in ALL_MODELS:
        return build(TrainingConfig(name), image_shape)
    layers = keras.layers
    layer = {
        "batch_normalization": lambda: layers.BatchNormalization(),
        "dropout": lambda: ae_multi.randomness.Dropout(0.3, seed=5),
        "layer_normalization": lambda: layers.LayerNormalization(),
    }[name]()
    encoder = keras.Sequential(
        [
            keras.Input(image_shape),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layer,
            layers.Dense(9),
        ]
    )
    units = image_shape[0] * image_shape[1] * image_shape[2]
    decoder = keras.Sequential(
        [
            keras.Input((9,)),
            layers.Dense(units, activation="sigmoid"),
            layers.Reshape(image_shape),
        ]
    )
    model = ae_multi.Autoencoder(encoder, decoder, seed=0)
    model.compile("adam", "mse")
    return model


def first_losses(model, samples, batch_size, epochs):
    """Train a model by each plan that can be split over workers.

    Yields:
        Dict of values for JSON for each plan: ``plan``, ``losses``, one a step, ``digest`` and
        ``seconds``, or ``refused``, the error of `fit`. Without a plan there is one dict with
        ``refused``.
    """
    from ae_multi import backends
    from ae_multi.cli.train_quality import task_of
    from ae_multi.compare.config import TrainingConfig
    from ae_multi.data import load_data
    from ae_multi.errors import InputError

    data = load_data("auto").first(samples)
    kind = model if model in ALL_MODELS else "deep"
    x, y, _ = task_of(TrainingConfig(kind), data)
    plans = backends.current().worker_plans(build_model(model, data.image_shape))
    if not plans:
        yield {"plan": None, "refused": "no plan can split its steps"}
    for plan in plans:
        try:
            yield train(build_model(model, data.image_shape), x, y, batch_size, epochs, plan)
        except InputError as error:
            yield {"plan": plan, "refused": str(error)}


def train(model, x, y, batch_size, epochs, plan=None, callbacks=(), **checkpoints):
    """Train and return ``plan``, ``losses``, ``digest``, ``seconds`` and ``epoch_seconds``."""
    import time

    from ae_multi import backends
    from ae_multi._keras import keras
    from ae_multi.backends.chunks import as_numpy
    from ae_multi.data.digest import sha256
    from ae_multi.training.step_losses import StepLosses

    class Stamps(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            backends.current().wait()
            stamps.append(time.perf_counter())

    losses, stamps = StepLosses(), []
    begin = time.perf_counter()
    history = model.fit(
        x,
        y,
        batch_size=batch_size,
        epochs=epochs,
        verbose=0,
        plan=plan,
        callbacks=[losses, Stamps(), *callbacks],
        **checkpoints,
    )
    seconds = time.perf_counter() - begin
    variables = [*model.variables, *model.optimizer.variables]
    return {
        "plan": history.plan.name,
        "losses": losses.losses,
        "digest": sha256(as_numpy(variable.value) for variable in variables),
        "seconds": seconds,
        "epoch_seconds": [after - before for before, after in itertools.pairwise(stamps)],
    }


def speed(batch_size, samples, epochs):
    """Train DeepAutoencoder on images of MNIST; return the result of `train`."""
    from ae_multi import backends
    from benchmarks.networks import images, network

    x, _ = images(samples)
    model = network("deep", x.shape[1:])
    return train(model, x, None, batch_size, epochs, backends.current().worker_plans(model)[0])


def with_checkpoints(folder, epochs):
    """Train DeepAutoencoder with a checkpoint every 20 steps; resume if there is one."""
    from ae_multi._keras import keras
    from benchmarks.networks import images, network

    class Begun(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                Path(folder, f"begun-{os.environ['RANK']}").write_text(str(os.getpid()))

    x, _ = images(4000)
    model = network("deep", x.shape[1:])
    checkpoints = {"checkpoint": f"{folder}/checkpoints", "checkpoint_every": "20 steps"}
    return train(
        model, x, None, 128, epochs, callbacks=[Begun()], resume=True, keep=2, **checkpoints
    )


def main(job):
    """Run one job, a dict with the key "run", and write its result to the job's folder."""
    from ae_multi.environment import describe_backend
    from ae_multi.workers import current
    from ae_multi.workers.launched import end_with_launcher, finish

    end_with_launcher()
    folder, rank = Path(job["folder"]), os.environ["RANK"]
    if job["run"] == "losses":
        results = {}
        for model in job["models"]:
            results[model] = list(first_losses(model, *job["arguments"]))
            _write(folder / f"{rank}.json", results)
    else:
        function = {"speed": speed, "kills": with_checkpoints}[job["run"]]
        results = function(*job["arguments"])
    finish()
    _write(folder / f"{rank}.json", results)
    if rank == "0":
        _write(folder / "environment.json", describe_backend())
    group = current()
    if group is not None:
        group.gather(None)  # no worker ends before all are here


def _write(path, value):
    temporary = path.with_suffix(".temporary")
    temporary.write_text(json.dumps(value))
    temporary.replace(path)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
