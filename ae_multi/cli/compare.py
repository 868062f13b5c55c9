"""``ae-multi compare``: train the same models on every backend and compare the results."""

import argparse
from pathlib import Path

from ae_multi.cli.options import (
    add_backend_options,
    add_data_options,
    add_training_options,
    check_figure,
    check_names,
    model_names,
    training_options,
)
from ae_multi.compare import CompareConfig, compare
from ae_multi.compare.config import MODELS, TrainingConfig
from ae_multi.environment import describe_machine
from ae_multi.errors import InputError
from ae_multi.io.atomic import check_writable
from ae_multi.report.compare_html import write_comparison_page
from ae_multi.report.compare_tables import print_comparison
from ae_multi.report.json_file import write_json
from ae_multi.report.progress import BackendProgress
from ae_multi.report.tables import console


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--model",
        type=model_names,
        default=model_names("all"),
        metavar="NAMES",
        help="comma-separated models: simple, deep, or all (default: all)",
    )
    add_backend_options(parser)
    add_data_options(parser)
    add_training_options(parser)
    parser.add_argument(
        "--spread-runs",
        type=int,
        default=6,
        metavar="N",
        help="trainings perturbed by rounding, which measure the spread that rounding causes; "
        "with 0 the final test MSE is not judged (default: 6)",
    )
    parser.add_argument(
        "--plans",
        action="store_true",
        help="train with every plan of each backend instead of the chosen one, and compare all",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    parser.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help="write the results as one self-contained HTML page",
    )
    parser.add_argument(
        "--figure",
        type=Path,
        metavar="FILE",
        help="draw test images, reconstructions and loss curves (.png, .svg or .pdf)",
    )


def run(options: argparse.Namespace) -> int:
    """Compare and print; return 0 if the backends agree, 1 if they differ."""
    if options.json:
        check_writable(options.json, "the JSON")
    if options.html:
        check_writable(options.html, "the HTML")
    if options.figure:
        check_figure(options.figure)
        if options.plans:
            raise InputError("Expected --figure without --plans. Received: both.")
    check_names("--model", options.model, MODELS)
    settings = CompareConfig(
        configs=tuple(
            TrainingConfig(model, **training_options(options)) for model in options.model
        ),
        backends=options.backends,
        pythons=dict(options.python),
        data=options.data,
        path=options.data_path,
        spread_runs=options.spread_runs,
        plans=options.plans,
    )
    with BackendProgress(console(stderr=True)) as progress:
        comparison = compare(settings, progress.on_event)
    try:
        if options.json:
            write_json(options.json, {**comparison.to_json(), "machine": describe_machine()})
        if options.html:
            write_comparison_page(comparison, options.html, describe_machine())
        if options.figure:
            from ae_multi.report.figures import draw_comparison

            draw_comparison(comparison, options.figure)
    finally:
        print_comparison(console(), comparison)
    return 0 if comparison.agree else 1
