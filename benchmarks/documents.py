"""Writes what is recorded into the tables of the documents: ``python -m benchmarks.documents``.

A table is known by its first line. What stands below it is replaced, and nothing else is.
"""

import json
from pathlib import Path

from benchmarks import exports, quality

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"


def trainings(recorded):
    """How fast each backend trains."""
    for result in recorded["results"]:
        rate = result["samples_per_second"]
        yield (
            result["model"],
            result["backend"],
            *(f"{rate[name]:,.0f}" for name in ("native", "keras.fit", "ours")),
            f"{rate['ours'] / rate['native']:.2f}",
            f"{rate['ours'] / rate['keras.fit']:.2f}",
            result["plan"]["name"],
        )


def whole_arrays(recorded):
    """How fast whole arrays go through, and how soon a training is under way."""
    names = ("encode", "reconstruct", "keras.predict", "keras.predict as it comes")
    for result in recorded["results"]:
        rate, first = result["samples_per_second"], result["first"]
        yield (
            result["model"],
            result["backend"],
            *(f"{rate[name]:,.0f}" for name in names),
            f"{first['ours']['first_epoch']:.1f}",
            f"{first['keras.fit']['two_epochs']:.1f}",
        )


def peers(recorded):
    """How fast other libraries train, and how many times that each backend reaches here."""
    ours = {
        (result["model"], result["backend"]): result["samples_per_second"]["ours"]
        for result in recorded["results"]
    }
    for peer in recorded["peers"]:
        model, rate = peer["model"], peer["samples_per_second"]
        yield (
            model,
            f"{peer['peer'].replace('_', '-')} {peer['version']}",
            f"{rate:,.0f}",
            *(f"{ours[model, name] / rate:.1f} ×" for name in ("torch", "tensorflow", "jax")),
        )


# The document, the first cells of the table, what is recorded, and the rows made of it.
TABLES = (
    ("README.md", "| model | backend | by hand |", "throughput-cpu", trainings),
    ("README.md", "| model | backend | `encode` |", "throughput-cpu", whole_arrays),
    ("README.md", "| model | library |", "throughput-cpu", peers),
    ("README.md", "| row | measure |", "quality-cpu", lambda found: quality.lines(found["runs"])),
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
        found = json.loads((RESULTS / f"{recorded}.json").read_text())
        texts[path] = filled(texts.get(path) or path.read_text(), begin, rows(found))
    return texts


if __name__ == "__main__":
    for path, text in documents().items():
        path.write_text(text)
