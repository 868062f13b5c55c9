"""Options that the commands of the tasks share, and the function that runs a task."""

import argparse
import importlib
from pathlib import Path
from typing import Any

from ae_multi.cli.options import add_data_options, check_figure
from ae_multi.cli.startup import import_backend
from ae_multi.environment import describe_machine
from ae_multi.io.atomic import check_writable
from ae_multi.report.json_file import write_json
from ae_multi.report.progress import job_progress
from ae_multi.report.tables import console
from ae_multi.report.tasks import print_result
from ae_multi.tasks.result import Options


def add_task_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every task."""
    add_data_options(parser)
    parser.add_argument(
        "--epochs", type=int, metavar="N", help="number of epochs (default: depends on the task)"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="seed of weights, batch order, noise and clutter (default: 0)",
    )
    parser.add_argument(
        "--samples",
        type=int,
        metavar="N",
        help="use only the first N training and the first N test images (default: all)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    parser.add_argument(
        "--figure", type=Path, metavar="FILE", help="draw the result (.png, .svg or .pdf)"
    )


def run_task(name: str, options: argparse.Namespace, **kwargs: Any) -> int:
    """Run a task on the current backend, print the result and write the requested files.

    Args:
        name: "reduce", "denoise", "detect", "segment" or "features".
        options: the parsed options of `add_task_options`.
        **kwargs: further keyword arguments of the task.

    Returns:
        0.
    """
    if options.json:
        check_writable(options.json, "the JSON")
    if options.figure:
        check_figure(options.figure)
    task = Options(
        data=options.data,
        path=options.data_path,
        epochs=options.epochs,
        seed=options.seed,
        samples=options.samples,
    )
    out = console()
    with job_progress(console(stderr=True), name) as report:
        import_backend()
        from ae_multi.training.progress import reporting

        with reporting(report):
            run = getattr(importlib.import_module(f"ae_multi.tasks.{name}"), name)
            result = run(task, **kwargs)
    try:
        if options.json:
            write_json(options.json, {**result.to_json(), "machine": describe_machine()})
        if options.figure:
            from ae_multi.report.task_figures import draw

            draw(result, options.figure)
    finally:
        print_result(out, result)
    return 0
