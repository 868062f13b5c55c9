"""Train on one backend and record what the others are to be compared with."""

import sys
from pathlib import Path

import numpy as np

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi.data import load_data
from ae_multi.data.batches import Batches
from ae_multi.data.digest import sha256
from ae_multi.data.floors import mean_floor, pca_floors
from ae_multi.files import written_whole
from ae_multi.parity.ulp import nudged
from ae_multi.recipes.quality import psnr, squared_errors
from ae_multi.recipes.recipe import Recipe
from ae_multi.recipes.train import build, train


def describe():
    """The backend that runs here: names, versions and device, as plain values."""
    backend = backends.current()
    return {
        "backend": keras.config.backend(),
        "device": backend.device(),
        "versions": {
            "python": sys.version.split()[0],
            "keras": keras.__version__,
            keras.config.backend(): backend.version(),
            "numpy": np.__version__,
        },
    }


def tell(job, emit):
    """Emit what `describe` says; the job asks for no more."""
    emit({"event": "backend", **describe()})


def record(job, emit):
    """Train the job's models one after another; emit what came of each.

    Args:
        job: dict with ``recipes`` (list of `Recipe` values), ``data`` and ``path`` (as
            `load_data` takes them), ``first_steps`` (how many losses to record one by one),
            ``spread_runs`` (how many one-ulp repeats; 0 for none), ``floors`` (whether to measure
            PCA), ``pictures`` (a folder for reconstructions) and ``programs`` (one for what is
            compiled).
        emit: called with one dict of plain values per event.
    """
    backends.current().keep_programs(job["programs"])
    backends.current().full_precision()
    emit({"event": "backend", **describe(), "precision": "float32, TF32 off"})
    data = load_data(job["data"], job["path"])
    emit({"event": "data", **_about(data)})
    recipes = [Recipe(**values) for values in job["recipes"]]
    progress = _Progress(emit, recipes, len(data.x_train), job["spread_runs"])
    code_sizes = []
    for recipe in recipes:
        result, code_size = _record_one(recipe, data, job, progress)
        code_sizes.append(code_size)
        emit({"event": "result", **result})
    if job["floors"]:
        floors = pca_floors(data, code_sizes)
        emit(
            {
                "event": "floors",
                "mean_image_mse": mean_floor(data),
                "pca_mse": {str(size): mse for size, mse in floors.items()},
            }
        )


def _record_one(recipe, data, job, progress):
    model = build(recipe, data.image_shape)
    start = model.get_weights()
    first_losses = _first_losses(model, data.x_train, recipe, job["first_steps"])

    model = build(recipe, data.image_shape)
    # A training that diverges is a result like others, and the table says so.
    end = [keras.callbacks.TerminateOnNaN()]
    training = train(model, data.x_train, recipe, progress.of(recipe.model), callbacks=end)
    restored = model.reconstruct(data.x_test)
    errors = squared_errors(data.x_test, restored)
    train_errors = squared_errors(data.x_train, model.reconstruct(data.x_train))
    _save_pictures(Path(job["pictures"]), recipe.model, data, restored)

    nudged_mses = []
    for run in range(1, job["spread_runs"] + 1):
        other = build(recipe, data.image_shape)
        other.set_weights(nudged(start, recipe.seed, run))
        named = progress.of(f"{recipe.model}, one ulp off, {run}")
        train(other, data.x_train, recipe, named, callbacks=end)
        other_errors = squared_errors(data.x_test, other.reconstruct(data.x_test))
        nudged_mses.append(float(np.mean(other_errors)))

    code_size = int(np.prod(model.encoder.output_shape[1:]))
    result = {
        "model": recipe.model,
        "class": type(model).__name__,
        "code_size": code_size,
        "parameters": model.count_params(),
        "epochs": recipe.epochs_for(len(data.x_train)),
        "initial_weights_sha256": sha256(start),
        "first_losses": first_losses,
        "epoch_losses": training.losses,
        "train_mse": float(np.mean(train_errors)),
        "test_mse": float(np.mean(errors)),
        "psnr_db": psnr(errors),
        "seconds": training.seconds,
        "first_epoch_seconds": training.first_epoch_seconds,
        "samples_per_second": training.samples_per_second,
        "one_ulp_test_mse": nudged_mses,
    }
    return result, code_size


def _first_losses(model, x, recipe, steps):
    """The loss of each of the first steps by itself; `fit` reports running means alone."""
    batches = Batches((x,), recipe.batch_size, recipe.seed)
    losses = []
    while len(losses) < steps:
        batches.epoch, step = divmod(len(losses), len(batches))
        (batch,) = batches[step]
        model.reset_metrics()
        losses.append(float(model.train_on_batch(batch)))
    return losses


def _about(data):
    return {
        "name": data.name,
        "source": data.source,
        "sha256": data.sha256,
        "train_images": len(data.x_train),
        "test_images": len(data.x_test),
        "image_shape": list(data.image_shape),
    }


def _save_pictures(folder, model, data, restored):
    """Keep the first test image of each label, and its reconstruction, for the figure."""
    _, chosen = np.unique(data.y_test, return_index=True)
    with written_whole(folder / f"{model}.npz") as path:
        np.savez(path, originals=data.x_test[chosen], reconstructions=restored[chosen])


class _Progress:
    """Counts epochs over all trainings of a job and emits them."""

    def __init__(self, emit, recipes, samples, spread_runs):
        self._emit = emit
        self._done = 0
        self._total = sum(recipe.epochs_for(samples) for recipe in recipes) * (1 + spread_runs)

    def of(self, label):
        """A function for `train` to call after each epoch of the training ``label``."""

        def on_epoch(epoch, epochs, loss):
            self._done += 1
            self._emit(
                {
                    "event": "progress",
                    "done": self._done,
                    "total": self._total,
                    "label": f"{label}: epoch {epoch} of {epochs}, loss {loss:.4f}",
                }
            )

        return on_epoch
