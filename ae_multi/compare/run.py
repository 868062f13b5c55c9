"""Train the same models on every backend, one child process after another, and compare them.

This module imports no framework: the parent process starts the children, receives their events
and compares the results.
"""

import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ae_multi.compare.agreement import agreement
from ae_multi.compare.config import CompareConfig
from ae_multi.errors import InputError
from ae_multi.io import npz
from ae_multi.subprocesses.interpreters import fastest
from ae_multi.subprocesses.launcher import run


@dataclass(frozen=True)
class Comparison:
    """Result of a comparison.

    Attributes:
        data: name, source and digest of the data, and the MSE of the mean image.
        settings: the `CompareConfig`.
        results: a dict for each (model, backend, plan), with the fields of `to_json`.
        agreement: dict of model to the result of `agreement`.
        left_out: backends that are not installed.
        pictures: dict of (model, backend) to {"originals", "reconstructions"}, arrays of shape
            (10, height, width, channels).
    """

    data: dict[str, Any]
    settings: CompareConfig
    results: list[dict[str, Any]]
    agreement: dict[str, dict[str, Any]]
    left_out: tuple[str, ...]
    pictures: dict[tuple[str, str], dict[str, np.ndarray]]

    @property
    def agree(self) -> bool:
        """Whether the backends agree on every model."""
        return all(result["verdict"] != "differ" for result in self.agreement.values())

    def to_json(self) -> dict[str, Any]:
        """Return everything except the pictures as a JSON-serialisable dict."""
        return {
            "data": self.data,
            "settings": {**self.settings.to_json(), "left_out": list(self.left_out)},
            "results": self.results,
            "agreement": self.agreement,
        }


def compare(
    settings: CompareConfig,
    on_event: Callable[[str, dict[str, Any]], object] | None = None,
) -> Comparison:
    """Train each model on each backend and compare the results.

    Args:
        settings: configuration of the comparison.
        on_event: called with (backend, event) for each event of a child process; or None.

    Returns:
        The results and their agreement.

    Raises:
        BackendError: a backend in ``settings.backends`` is not installed, or no backend is.
        InputError: the data cannot be read, or differ between backends.
        WorkerError: a child process failed.
    """
    backends, left_out = settings.interpreters.available()
    job: dict[str, Any] = {
        "run": "ae_multi.compare.worker:record",
        "configs": [config.to_json() for config in settings.configs],
        "first_steps": settings.first_steps,
        "plans": settings.plans,
        "path": settings.path,
        "data": settings.data,
    }
    data: dict[str, Any] = {}
    floors: dict[str, Any] = {}
    results: list[dict[str, Any]] = []
    pictures = {}
    for backend in backends:
        with tempfile.TemporaryDirectory() as folder:
            is_fastest = backend == fastest(backends)
            job |= {
                "pictures": folder,
                "programs": str(Path(folder) / "programs"),
                "floors": not floors,
                "spread_runs": settings.spread_runs if is_fastest else 0,
            }
            about: dict[str, Any] = {}
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
            # "auto" may select another data set on the other backends; pass the name instead.
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


def _check_same(data: Mapping[str, Any], other: Mapping[str, Any], backend: str) -> None:
    if data["sha256"] != other["sha256"]:
        raise InputError(
            f"Expected the same data on every backend, {data['name']} ({data['source']}). "
            f"Received: other bytes on {backend}, {other['name']} ({other['source']})."
        )


def _notes(result: Mapping[str, Any], floors: Mapping[str, Any]) -> list[str]:
    """Return warnings about a result that is not better than the baselines."""
    mse = result["test_mse"]
    if not math.isfinite(mse):
        return ["the training diverged, its error is not finite"]
    if not mse < floors["mean_image_mse"]:
        return ["no better than predicting the mean image"]
    if not mse < result["pca_mse"]:
        return [f"worse than PCA with {result['code_size']} components"]
    return []


def _pictures(folder: str, model: str) -> dict[str, np.ndarray]:
    with npz.opened(Path(folder) / f"{model}.npz") as file:
        return {name: file.read(name) for name in ("originals", "reconstructions")}
