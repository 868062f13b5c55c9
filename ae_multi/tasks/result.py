"""Options and results of tasks: values to print and to write, and arrays to draw."""

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from ae_multi.argument_checks import check_positive
from ae_multi.data import Dataset, load_data
from ae_multi.errors import InputError
from ae_multi.randomness.streams import check_seed


@dataclass(frozen=True)
class Options:
    """Options of all tasks.

    Attributes:
        data: name of a data set; see `load_data`.
        path: folder of the MNIST files, or None.
        epochs: passes over the training data, or None for the default of the task.
        seed: seed of weights, order, noise and clutter.
        samples: number of training images and of test images to use, from the first; None for all.
        verbose: whether to show the progress of training.

    Raises:
        InputError: an invalid value.
    """

    data: str = "auto"
    path: str | None = None
    epochs: int | None = None
    seed: int = 0
    samples: int | None = None
    verbose: bool = False

    def __post_init__(self):
        check_positive(epochs=self.epochs, samples=self.samples)
        if self.samples == 1:
            raise InputError("Expected samples to be an integer of at least 2. Received: 1.")
        check_seed(self.seed)

    def load(self) -> Dataset:
        """Return the `Dataset`, reduced to the first `samples` images if that is not None."""
        return load_data(self.data, self.path).first(self.samples)

    def training(self, epochs: int | Literal["auto"] = "auto") -> dict[str, Any]:
        """Return the training parameters of an estimator.

        Args:
            epochs: number of epochs if `Options.epochs` is None.
        """
        return {
            "epochs": epochs if self.epochs is None else operator.index(self.epochs),
            "random_state": self.seed,
            "verbose": int(self.verbose),
        }


class Measure(NamedTuple):
    """A column of a result's table.

    Attributes:
        name: heading of the column.
        form: format specification of its numbers.
        higher: whether higher is better.
        unit: unit of its numbers, or "".
    """

    name: str
    form: str
    higher: bool
    unit: str = ""

    def text(self, value: float) -> str:
        """Return the formatted number with its unit."""
        return f"{value:{self.form}} {self.unit}".rstrip()

    def better(self, one: float, other: float) -> bool:
        """Return whether ``one`` is better than ``other``; False for NaN."""
        return one > other if self.higher else one < other


@dataclass(frozen=True)
class Result:
    """Performance of an estimator in a task, and of the baselines.

    Attributes:
        task: "reduce", "denoise", "detect", "detect fit", "segment" or "features".
        title: title of the task, one line.
        measures: a `Measure` for each column.
        rows: dict from method to its numbers, one per measure; the estimator first, then the
            baselines. Empty if nothing was measured.
        data: name, source and sizes of the data.
        settings: options of the task other than the data.
        provenance: versions, backend, device and date of the training.
        seconds: duration of the training.
        notes: further sentences.
        picture: dict of arrays and names for the figure; not part of `to_json`.
    """

    task: str
    title: str
    measures: tuple[Measure, ...]
    rows: Mapping[str, tuple[float, ...]]
    data: dict[str, Any]
    settings: dict[str, Any]
    provenance: dict[str, Any]
    seconds: float
    notes: tuple[str, ...] = ()
    picture: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def lost(self) -> list[str]:
        """A sentence for each baseline and measure in which the estimator is not better."""
        if not self.rows:
            return []
        (model, model_values), *baselines = self.rows.items()
        sentences = []
        for baseline, values in baselines:
            for measure, ours, theirs in zip(self.measures, model_values, values, strict=True):
                if not measure.better(ours, theirs):
                    relation = "better" if measure.better(theirs, ours) else "as good"
                    sentences.append(
                        f"{baseline[0].upper()}{baseline[1:]} is {relation} here: "
                        f"{measure.name} {measure.text(theirs)} "
                        f"against {measure.text(ours)} of the {model}."
                    )
        return sentences

    def to_json(self) -> dict[str, Any]:
        """Return all attributes except the picture as values for JSON."""
        names = [measure.name for measure in self.measures]
        return {
            "task": self.task,
            "title": self.title,
            "results": {
                method: dict(zip(names, map(float, values), strict=True))
                for method, values in self.rows.items()
            },
            "floors_that_win": self.lost,
            "notes": list(self.notes),
            "data": self.data,
            "settings": self.settings,
            "provenance": self.provenance,
            "seconds": self.seconds,
        }


def about(data: Dataset) -> dict[str, Any]:
    """Return name, source, sizes and digest of a `Dataset`, as values for JSON."""
    return {
        "name": data.name,
        "source": data.source,
        "train_images": len(data.x_train),
        "test_images": len(data.x_test),
        "sha256": data.sha256,
    }
