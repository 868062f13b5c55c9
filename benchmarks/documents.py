"""Write recorded results into the tables of the documents: ``python -m benchmarks.documents``.

A table is identified by the beginning of its first line. Its rows are replaced, nothing else.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from ae_multi.io.atomic import atomic_write
from benchmarks import (
    ablation_settings,
    data_scaling,
    detection_summary,
    exports,
    fit_time,
    precision,
    quality,
    series,
    sources,
    steps,
    workers,
    workers_efficiency,
)
from benchmarks.throughput import beside_peers, first, rate, ratio
from tests.robustness.zoo.__main__ import lines as zoo_lines

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"


def trainings(recorded):
    """Yield the rows of training speeds."""
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
    """Yield the rows of inference speeds on complete arrays and of the time of a first epoch."""
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
    """Yield the rows of other libraries' training speeds, with the speedup of each backend."""
    for peer, multiples in beside_peers(recorded):
        yield (
            peer["model"],
            f"{peer['peer'].replace('_', '-')} {peer['version']}",
            f"{peer['samples_per_second']:,.0f}",
            *(f"{multiples[name]:.1f} ×" for name in ("torch", "tensorflow", "jax")),
        )


def qualities(recorded):
    """Yield the rows of the quality of the tasks with their defaults."""
    yield from quality.lines(recorded["runs"])


# For each table: the document, the beginning of its first line, the recorded files, and the
# function that yields the rows of a file.
TABLES = (
    ("README.md", "| model | backend | by hand |", "throughput-cpu", trainings),
    ("docs/results.md", "| model | backend | by hand |", "throughput-cpu", trainings),
    ("docs/results.md", "| model | backend | `encode` |", "throughput-cpu", whole_arrays),
    ("docs/results.md", "| model | library |", "throughput-cpu", peers),
    ("docs/results.md", "| task | measure |", "quality-cpu", qualities),
    (
        "docs/results.md", "| method | AUROC |", "series-cpu",
        lambda recorded: series.lines(recorded["runs"]),
    ),
    (
        "docs/results.md", "| training | method |", "detection-cpu",
        lambda recorded: detection_summary.all_lines(recorded["runs"]),
    ),
    (
        "docs/speed.md", "| backend | plan | 60,000 samples |", "scaling-cpu",
        lambda recorded: data_scaling.lines(recorded["growth"]),
    ),
    (
        "docs/speed.md", "| model | backend | images | epochs | first |", "fit_time-cpu",
        lambda recorded: fit_time.lines(recorded["results"]),
    ),
    ("docs/speed.md", "| model | backend | device | way |", "steps-gpu", steps.lines),
    (
        "docs/large_data.md", "| backend | plan | order |", "sources-cpu",
        lambda recorded: sources.lines(recorded["results"]),
    ),
    (
        "docs/workers.md", "| backend | plan | batch |", "workers-cpu",
        lambda recorded: workers.scaling_lines(recorded["scaling"]),
    ),
    (
        "docs/workers.md", "| backend | 8 workers |", "steps-gpu", workers_efficiency.lines,
    ),
    (
        "docs/speed.md", "| model | backend | device | precision |", "precision-cpu precision-gpu",
        precision.lines,
    ),
    (
        "docs/agreement.md", "| architecture | parameters |", "zoo-cpu",
        zoo_lines,
    ),
    (
        "docs/choices.md", "| task | tried |", "choices-cpu",
        lambda recorded: ablation_settings.lines(recorded["trials"]),
    ),
    (
        "docs/export.md", "| format | made on |", "exports-cpu",
        lambda recorded: exports.lines(recorded["exports"]),
    ),
)  # fmt: skip


def filled(text: str, begin: str, rows: Iterable[Sequence[str]]) -> str:
    """Return the document ``text`` with the rows of one table replaced.

    Args:
        text: the document in Markdown.
        begin: beginning of the first line of the table.
        rows: the cells of each new row.

    Raises:
        ValueError: there is no such table or more than one, or the number of columns differs.
    """
    lines = text.split("\n")
    (top,) = (number for number, line in enumerate(lines) if line.startswith(begin))
    end = next(number for number in range(top, len(lines)) if not lines[number].startswith("|"))
    table = [f"| {' | '.join(row)} |" for row in rows]
    for line in table:
        if line.count("|") != lines[top].count("|"):
            raise ValueError(f"Expected cells as in {lines[top]!r}. Received: {line!r}.")
    return "\n".join([*lines[: top + 2], *table, *lines[end:]])


def documents():
    """Return a dict of the path of each document to its text with the recorded results."""
    texts = {}
    for name, begin, files, rows_of in TABLES:
        path = ROOT / name
        rows = []
        for file in files.split():
            rows += rows_of(json.loads((RESULTS / f"{file}.json").read_text()))
        texts[path] = filled(texts.get(path) or path.read_text(), begin, rows)
    return texts


if __name__ == "__main__":
    for path, text in documents().items():
        with atomic_write(path) as temporary:
            temporary.write_text(text)
