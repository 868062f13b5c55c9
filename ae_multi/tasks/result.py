"""What a task is asked and what it found: plain values to print and to write, arrays to draw."""

import operator
from dataclasses import dataclass, field
from typing import NamedTuple

from ae_multi.data import Dataset, load_data
from ae_multi.errors import InputError
from ae_multi.randomness.streams import check_seed
from ae_multi.validation import check_positive


@dataclass(frozen=True)
class Options:
    """What all tasks can be asked.

    Attributes:
        data: the name of a data set, as `load_data` takes it.
        path: where MNIST lies, or None.
        epochs: passes over the training data, or None for the task's own number.
        seed: fixes weights, order, noise and clutter.
        samples: how many training and how many test images to use, the first ones, or None for
            all.
        verbose: whether to show the training's progress.

    Raises:
        InputError: a value that makes no sense.
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

    def load(self):
        """The `Dataset` that was asked for, or the first of its images."""
        data, few = load_data(self.data, self.path), self.samples
        if few is None:
            return data
        return Dataset(
            *(part[:few] for part in (data.x_train, data.y_train, data.x_test, data.y_test)),
            name=data.name,
            source=f"{data.source}; the first {few:,} of each part",
        )

    def training(self, epochs="auto"):
        """The keywords of an estimator that say how to train it.

        Args:
            epochs: the number where nobody asked for one.
        """
        return {
            "epochs": epochs if self.epochs is None else operator.index(self.epochs),
            "random_state": self.seed,
            "verbose": int(self.verbose),
        }


class Measure(NamedTuple):
    """A column of a result's table.

    Attributes:
        name: its heading.
        form: how a number of it is printed, as in ``format``.
        higher: whether more is better.
        unit: what it is measured in, or nothing.
    """

    name: str
    form: str
    higher: bool
    unit: str = ""

    def text(self, value):
        """The number and its unit."""
        return f"{value:{self.form}} {self.unit}".rstrip()

    def better(self, one, other):
        """Whether ``one`` is better than ``other``; NaN never is."""
        return one > other if self.higher else one < other


@dataclass(frozen=True)
class Result:
    """How well an estimator did its task, and how well its floors did.

    Attributes:
        task: "reduce", "denoise", "detect", "segment" or "features".
        title: what was done, in a line.
        measures: a `Measure` for each column.
        rows: dict of method to its numbers, one a measure; the estimator first, floors after it.
        data: where the numbers come from: name, source and sizes.
        settings: what the task was asked, beyond data.
        provenance: what trained the estimator.
        seconds: how long it trained.
        notes: further sentences.
        picture: dict of arrays and names for the figure; not part of `to_json`.
    """

    task: str
    title: str
    measures: tuple
    rows: dict
    data: dict
    settings: dict
    provenance: dict
    seconds: float
    notes: tuple = ()
    picture: dict = field(default_factory=dict, repr=False)

    @property
    def lost(self):
        """A sentence for each floor and measure in which the estimator is not better."""
        (ours, found), *floors = self.rows.items()
        sentences = []
        for floor, values in floors:
            for measure, own, its in zip(self.measures, found, values, strict=True):
                if not measure.better(own, its):
                    relation = "better" if measure.better(its, own) else "as good"
                    sentences.append(
                        f"{floor[0].upper()}{floor[1:]} is {relation} here: "
                        f"{measure.name} {measure.text(its)} "
                        f"against {measure.text(own)} of the {ours}."
                    )
        return sentences

    def to_json(self):
        """All but the picture, as plain values."""
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


def about(data):
    """What a result says of its `Dataset`: plain values."""
    return {
        "name": data.name,
        "source": data.source,
        "train_images": len(data.x_train),
        "test_images": len(data.x_test),
        "sha256": data.sha256,
    }
