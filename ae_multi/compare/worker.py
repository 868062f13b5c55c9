"""Train the models of a comparison on one backend and record the results."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi.baselines import mean_baseline, pca_baselines
from ae_multi.compare.config import TrainingConfig
from ae_multi.compare.train import build, train
from ae_multi.data import Dataset, load_data
from ae_multi.data.batches import Batches, BatchOrder
from ae_multi.data.digest import sha256
from ae_multi.environment import describe_backend
from ae_multi.io.atomic import atomic_write
from ae_multi.metrics import psnr, squared_errors
from ae_multi.parity.plan_steps import PlanSteps
from ae_multi.parity.rounding_noise import perturb_training, terms_of_gradients
from ae_multi.parity.ulp import perturb_by_ulp


def record(job: Mapping[str, Any], emit: Callable[[dict[str, Any]], object]) -> None:
    """Train the models of a job one after another and emit the result of each.

    Args:
        job: dict with ``configs`` (list of dicts from `TrainingConfig.to_json`), ``data`` and
            ``path`` (the arguments of `load_data`), ``first_steps`` (number of single-step losses
            to record), ``spread_runs`` (number of perturbed repetitions; 0 for none), ``plans``
            (whether to train with every plan of the backend instead of the one that `fit`
            selects), ``floors`` (whether to measure the baselines), ``pictures`` (folder for
            reconstructions) and ``programs`` (folder for compiled programs).
        emit: called with a JSON-serialisable dict for each event.
    """
    backends.current().keep_programs(job["programs"])
    backends.current().full_precision()
    emit({"event": "backend", **describe_backend(), "precision": "float32, TF32 off"})
    data = load_data(job["data"], job["path"])
    emit({"event": "data", **_about(data)})
    configs = [TrainingConfig(**values) for values in job["configs"]]
    plans: list[Sequence[str | None]] = [
        _plans(config, data) if job["plans"] else [None] for config in configs
    ]
    progress = _Progress(emit, configs, plans, len(data.x_train), job["spread_runs"])
    code_sizes = []
    for config, names in zip(configs, plans, strict=True):
        for plan in names:
            spread_runs = job["spread_runs"] if plan == names[0] else 0
            result = _record_one(config, data, plan, {**job, "spread_runs": spread_runs}, progress)
            emit({"event": "result", **result})
        code_sizes.append(result["code_size"])
    if job["floors"]:
        floors = pca_baselines(data, code_sizes)
        emit(
            {
                "event": "floors",
                "mean_image_mse": mean_baseline(data),
                "pca_mse": {str(size): mse for size, mse in floors.items()},
            }
        )


def _plans(config: TrainingConfig, data: Dataset) -> list[str]:
    """Return the names of the backend's plans for a model, without those that cannot be built."""
    plans = backends.current().plans(build(config, data.image_shape))
    return [name for name, seconds in plans if math.isfinite(seconds)]


def _record_one(
    config: TrainingConfig,
    data: Dataset,
    plan: str | None,
    job: Mapping[str, Any],
    progress: "_Progress",
) -> dict[str, Any]:
    """Train one model with one plan, and its perturbed repetitions; return the result."""
    label = config.model if plan is None else f"{config.model} by {plan}"
    model = build(config, data.image_shape)
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    start = [keras.ops.convert_to_numpy(variable) for variable in variables]
    start_weights = model.get_weights()
    # A training that diverges ends early; its result is reported.
    end = [keras.callbacks.TerminateOnNaN()]
    training = train(model, data.x_train, config, progress.of(label), callbacks=end, plan=plan)
    restored = model.reconstruct(data.x_test)
    errors = squared_errors(data.x_test, restored)
    train_errors = squared_errors(data.x_train, model.reconstruct(data.x_train))
    _save_pictures(Path(job["pictures"]), config.model, data, restored)

    for variable, value in zip(variables, start, strict=True):
        variable.assign(value)
    first_losses = _first_losses(model, data.x_train, config, training.plan, job["first_steps"])

    perturbed_mses = []
    for run in range(1, job["spread_runs"] + 1):
        other = build(config, data.image_shape)
        other.set_weights(perturb_by_ulp(start_weights, config.seed, run))
        other.optimizer.build(other.trainable_variables)
        perturb_training(other.optimizer, config.seed, run, terms_of_gradients(other))
        named = progress.of(f"{label}, perturbed, {run}")
        train(other, data.x_train, config, named, callbacks=end, plan=training.plan)
        other_errors = squared_errors(data.x_test, other.reconstruct(data.x_test))
        perturbed_mses.append(float(np.mean(other_errors)))

    return {
        "model": config.model,
        "class": type(model).__name__,
        "plan": training.plan,
        "code_size": int(np.prod(model.encoder.output_shape[1:])),
        "parameters": model.count_params(),
        "epochs": config.epochs_for(len(data.x_train)),
        "initial_weights_sha256": sha256(start_weights),
        "first_losses": first_losses,
        "epoch_losses": training.losses,
        "train_mse": float(np.mean(train_errors)),
        "test_mse": float(np.mean(errors)),
        "psnr_db": psnr(errors),
        "seconds": training.seconds,
        "first_epoch_seconds": training.first_epoch_seconds,
        "samples_per_second": training.samples_per_second,
        "perturbed_test_mse": perturbed_mses,
    }


def _first_losses(
    model: keras.Model, x: np.ndarray, config: TrainingConfig, plan: str, steps: int
) -> list[float]:
    """Return the loss before each of the first steps of a plan, averaged in float64.

    The loss that a plan reports is a float32 sum of 100,000 squares, whose rounding error of up to
    1e-5 would hide differences of the weights.
    """
    batches = Batches((np.arange(len(x)),), BatchOrder(len(x), config.batch_size, config.seed))
    by_plan = PlanSteps(model, x, x, plan, config.batch_size)
    losses: list[float] = []
    while len(losses) < steps:
        batches.epoch, step = divmod(len(losses), len(batches))
        (chosen,) = batches[step]
        errors = squared_errors(x[chosen], model.reconstruct(x[chosen]))
        losses.append(float(np.mean(errors)))
        by_plan.loss(chosen)
    return losses


def _about(data: Dataset) -> dict[str, Any]:
    return {
        "name": data.name,
        "source": data.source,
        "sha256": data.sha256,
        "train_images": len(data.x_train),
        "test_images": len(data.x_test),
        "image_shape": list(data.image_shape),
    }


def _save_pictures(folder: Path, model: str, data: Dataset, restored: np.ndarray) -> None:
    """Save the first test image of each label and its reconstruction for the figure."""
    _, chosen = np.unique(data.y_test, return_index=True)
    with atomic_write(folder / f"{model}.npz") as path:
        np.savez(path, originals=data.x_test[chosen], reconstructions=restored[chosen])


class _Progress:
    """Counter that emits the number of finished epochs over all trainings of a job."""

    def __init__(
        self,
        emit: Callable[[dict[str, Any]], object],
        configs: Sequence[TrainingConfig],
        plans: Sequence[Sequence[str | None]],
        samples: int,
        spread_runs: int,
    ) -> None:
        self._emit = emit
        self._done = 0
        self._total = sum(
            config.epochs_for(samples) * (len(names) + spread_runs)
            for config, names in zip(configs, plans, strict=True)
        )

    def of(self, label: str) -> Callable[[int, int, float], None]:
        """Return the ``on_epoch`` function for `train` for the training ``label``."""

        def on_epoch(epoch: int, epochs: int, loss: float) -> None:
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
