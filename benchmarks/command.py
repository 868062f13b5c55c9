"""Options and functions that the commands of the benchmarks share."""

import argparse
import os
from pathlib import Path
from typing import Any

from ae_multi.cli.options import add_backend_options, interpreters_of
from ae_multi.environment import describe_machine
from ae_multi.errors import InputError
from ae_multi.io import json
from ae_multi.io.atomic import check_writable
from ae_multi.report.json_file import write_json
from ae_multi.report.tables import console
from benchmarks.processes import run


def add_run_options(parser: argparse.ArgumentParser, json_help: str) -> None:
    """Add ``--backends``, ``--python``, ``--device`` and ``--json``.

    Args:
        parser: the parser.
        json_help: help text of ``--json``.
    """
    add_backend_options(parser)
    parser.add_argument(
        "--device", choices=["cpu", "gpu"], help="device (default: a GPU if there is one)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help=json_help)


def add_jobs_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--jobs``."""
    parser.add_argument(
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help="number of runs in parallel, each on its own processor cores (default: 1)",
    )


def check_paths(
    json_path: os.PathLike[str] | str | None = None, figure: os.PathLike[str] | str | None = None
) -> None:
    """Raise an `InputError` if a file of results could not be written.

    Args:
        json_path: path of the JSON file, or None.
        figure: path of the figure, or None.
    """
    for path, what in ((json_path, "the JSON"), (figure, "the figure")):
        if path:
            check_writable(path, what)


def recorded_before(
    path: Path | None, key: str, missing: list[dict] | None = None
) -> list[dict[str, Any]]:
    """Read the list ``key`` from a JSON file of recorded results.

    Args:
        path: the file, or None. Without a file the list is empty.
        key: key of the list.
        missing: value if the file lacks the key; None if the key is required.

    Returns:
        List of dicts.

    Raises:
        InputError: the file does not hold such a list of dicts.
    """
    if not path or not path.exists():
        return []
    content = json.read(path, "a file of recorded results")
    rows = content.get(key, missing) if isinstance(content, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"Expected {path} to hold the list of dicts {key!r}. Received: none.")
    return rows


def measure_models(options: argparse.Namespace, module: str, job: dict[str, Any]) -> dict[str, Any]:
    """Call ``measure`` of ``benchmarks.MODULE`` for each selected backend and model.

    Args:
        options: the parsed options of `add_run_options`, and ``model``.
        module: name of the module.
        job: keywords of ``measure`` except ``model``.

    Returns:
        Dict of ``machine`` and ``results``. It is written to the file of ``--json`` after each
        measurement.
    """
    interpreters = interpreters_of(options)
    recorded: dict[str, Any] = {"machine": describe_machine(), "results": []}
    with console(stderr=True).status("starting") as status:
        for backend in interpreters.available()[0]:
            for model in options.model:
                status.update(f"{backend}: {model}")
                keywords = {"model": model, **job}
                python = interpreters.python(backend)
                result = run(python, backend, module, keywords, options.device)
                recorded["results"].append({**result, "date": recorded["machine"]["date"]})
                if options.json:
                    write_json(options.json, recorded)
    return recorded
