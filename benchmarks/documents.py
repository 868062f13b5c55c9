"""Writes what is recorded into the tables of the documents: ``python -m benchmarks.documents``.

A table is known by its first line. What stands below it is replaced, and nothing else is.
"""

import json
from pathlib import Path

from ae_multi.io.atomic import atomic_write
from benchmarks import (
    ablation_settings,
    data_scaling,
    exports,
    precision,
    quality,
    steps,
)
from benchmarks.throughput import beside_peers, first, rate, ratio

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
# Words of `quality.lines`, and those of the documents.
_MARKS = {"wanted": "required", "hoped for": "target", "the floor": "best baseline"}


def trainings(recorded):
    """How fast each backend trains."""
    return _rows(
        recorded,
        rate("native"),
        rate("keras.fit"),
        rate("ours"),
        ratio("ours", "native"),
        ratio("ours", "keras.fit"),
        lambda result: result["plan"]["name"],
    )


def whole_arrays(recorded):
    """How fast whole arrays go through, and how soon a training is under way."""
    names = ("encode", "reconstruct", "keras.predict", "keras.predict as it comes")
    return _rows(
        recorded,
        *map(rate, names),
        first("ours", "first_epoch"),
        first("keras.fit", "two_epochs"),
    )


def _rows(recorded, *columns):
    for result in recorded["results"]:
        yield result["model"], result["backend"], *(column(result) for column in columns)


def peers(recorded):
    """How fast other libraries train, and how many times that each backend reaches here."""
    for peer, multiples in beside_peers(recorded):
        yield (
            peer["model"],
            f"{peer['peer'].replace('_', '-')} {peer['version']}",
            f"{peer['samples_per_second']:,.0f}",
            *(f"{multiples[name]:.1f} ×" for name in ("torch", "tensorflow", "jax")),
        )


def qualities(recorded):
    """What the tasks reach with their defaults."""
    for cells in quality.lines(recorded["runs"]):
        yield tuple(_MARKS.get(cell, cell) for cell in cells)


# The document, the first cells of the table, what is recorded (in one file or more), and the rows
# made of each.
TABLES = (
    ("README.md", "| model | backend | by hand |", "throughput-cpu", trainings),
    ("docs/results.md", "| model | backend | `encode` |", "throughput-cpu", whole_arrays),
    ("docs/results.md", "| model | library |", "throughput-cpu", peers),
    ("docs/tasks.md", "| task | measure |", "quality-cpu", qualities),
    (
        "docs/speed.md", "| backend | plan | 60,000 samples |", "scaling-cpu",
        lambda found: data_scaling.lines(found["growth"]),
    ),
    ("docs/speed.md", "| model | backend | device | way |", "steps-gpu", steps.lines),
    (
        "docs/speed.md", "| model | backend | device | precision |", "precision-cpu precision-gpu",
        precision.lines,
    ),
    (
        "docs/choices.md", "| task | tried |", "choices-cpu",
        lambda found: ablation_settings.lines(found["trials"]),
    ),
    (
        "docs/export.md", "| format | made on |", "exports-cpu",
        lambda found: exports.lines(found["exports"]),
    ),
)  # fmt: skip


def filled(text, begin, rows):
    """The document ``text`` with ``rows`` in the table whose first line begins with ``begin``.

    Raises:
        ValueError: no such table, two of them, or rows of another width.
    """
    lines = text.split("\n")
    (top,) = (place for place, line in enumerate(lines) if line.startswith(begin))
    end = next(place for place in range(top, len(lines)) if not lines[place].startswith("|"))
    made = [f"| {' | '.join(row)} |" for row in rows]
    for line in made:
        if line.count("|") != lines[top].count("|"):
            raise ValueError(f"Expected cells as in {lines[top]!r}. Received: {line!r}.")
    return "\n".join([*lines[: top + 2], *made, *lines[end:]])


def documents():
    """Path of each document to its text with what is recorded."""
    texts = {}
    for name, begin, recorded, rows in TABLES:
        path = ROOT / name
        made = []
        for file in recorded.split():
            made += rows(json.loads((RESULTS / f"{file}.json").read_text()))
        texts[path] = filled(texts.get(path) or path.read_text(), begin, made)
    return texts


if __name__ == "__main__":
    for path, text in documents().items():
        with atomic_write(path) as whole:
            whole.write_text(text)
