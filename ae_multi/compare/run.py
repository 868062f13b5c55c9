"""The same models on every backend, one process each, one after another, and a verdict.

Nothing here imports a framework: the parent starts, listens and compares.
"""

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ae_multi.compare.agreement import agreement
from ae_multi.errors import InputError
from ae_multi.io import npz
from ae_multi.subprocesses.interpreters import fastest
from ae_multi.subprocesses.launcher import run


@dataclass(frozen=True)
class Comparison:
    """What a comparison found.

    Attributes:
        data: name, source and digest of the data, and the MSE of the mean image.
        settings: the `CompareConfig`.
        results: a dict for each (model, backend, plan), with the fields of `to_json`.
        agreement: dict of model to what `agreement` returned.
        left_out: backends that are not installed.
        pictures: dict of (model, backend) to {"originals", "reconstructions"}, arrays of shape
            (10, height, width, channels).
    """

    data: dict
    settings: object
    results: list
    agreement: dict
    left_out: tuple
    pictures: dict

    @property
    def agree(self):
        """Whether the backends agree on every model."""
        return all(found["verdict"] != "differ" for found in self.agreement.values())

    def to_json(self):
        """Everything but the pictures, as plain values."""
        return {
            "data": self.data,
            "settings": {**self.settings.to_json(), "left_out": list(self.left_out)},
            "results": self.results,
            "agreement": self.agreement,
        }


def compare(settings, on_event=None):
    """Train each model on each backend and compare.

    Args:
        settings: a `CompareConfig`.
        on_event: called with (backend, event) for each event of a child process.

    Returns:
        A `Comparison`.

    Raises:
        BackendError: a backend asked for is not installed.
        InputError: data that cannot be read, or that differ between backends.
        WorkerError: a child process that failed.
    """
    backends, left_out = settings.interpreters.available()
    job = {
        "run": "ae_multi.compare.worker:record",
        "configs": [config.to_json() for config in settings.configs],
        "first_steps": settings.first_steps,
        "plans": settings.plans,
        "path": settings.path,
        "data": settings.data,
    }
    data, floors, results, pictures = {}, {}, [], {}
    for backend in backends:
        with tempfile.TemporaryDirectory() as folder:
            alone = backend == fastest(backends)
            job |= {
                "pictures": folder,
                "programs": str(Path(folder) / "programs"),
                "floors": not floors,
                "spread_runs": settings.spread_runs if alone else 0,
            }
            about = {}
            for event in run(settings.interpreters.python(backend), backend, job):
                if on_event is not None:
                    on_event(backend, event)
                kind = event.pop("event")
                if kind == "backend":
                    about = event
                elif kind == "data":
                    data = data or event
                    _check_same(data, event, backend)
                elif kind == "floors":
                    floors = event
                elif kind == "result":
                    results.append({**about, **event})
                    pictures[event["model"], backend] = _pictures(folder, event["model"])
            # What "auto" came to on the first backend is asked of the others by name.
            job["data"] = data["name"]
    models = [config.model for config in settings.configs]
    results.sort(key=lambda result: models.index(result["model"]))
    for result in results:
        result["pca_mse"] = floors["pca_mse"][str(result["code_size"])]
        result["notes"] = _notes(result, floors)
    return Comparison(
        data={**data, "mean_image_mse": floors["mean_image_mse"]},
        settings=settings,
        results=results,
        agreement={
            model: agreement([r for r in results if r["model"] == model]) for model in models
        },
        left_out=left_out,
        pictures=pictures,
    )


def _check_same(data, other, backend):
    if data["sha256"] != other["sha256"]:
        raise InputError(
            f"Expected every backend to see the same data, {data['name']} ({data['source']}). "
            f"Received: other bytes on {backend}, {other['name']} ({other['source']})."
        )


def _notes(result, floors):
    """What has to be said of a result that is worse than it should be."""
    mse = result["test_mse"]
    if not math.isfinite(mse):
        return ["the training diverged, its error is not finite"]
    if not mse < floors["mean_image_mse"]:
        return ["no better than predicting the mean image"]
    if not mse < result["pca_mse"]:
        return [f"worse than PCA with {result['code_size']} components"]
    return []


def _pictures(folder, model):
    with npz.opened(Path(folder) / f"{model}.npz") as file:
        return {name: file.read(name) for name in ("originals", "reconstructions")}
