"""The commands of the tasks: ``reduce``, ``denoise``, ``detect``, ``segment`` and ``features``."""

import argparse
import importlib
from pathlib import Path
from typing import Any

from ae_multi.cli.options import add_data_options, check_figure, comma_separated
from ae_multi.cli.startup import import_backend
from ae_multi.environment import describe_machine
from ae_multi.errors import InputError
from ae_multi.io.atomic import check_writable
from ae_multi.report.json_file import write_json
from ae_multi.report.progress import job_progress
from ae_multi.report.tables import console
from ae_multi.report.tasks import print_result
from ae_multi.tasks.result import Options


def add_reduce_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ae-multi reduce``."""
    _add_network_options(parser, 9, "those of AutoencoderTransformer")
    add_task_options(parser)


def run_reduce(options: argparse.Namespace) -> int:
    """Encode images as short codes; return 0."""
    return run_task("reduce", options, latent_dim=options.latent_dim, hidden=options.hidden)


def add_denoise_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ae-multi denoise``."""
    parser.add_argument(
        "--noise",
        type=float,
        default=0.4,
        metavar="X",
        help="standard deviation of the noise, for values from 0 to 1 (default: 0.4)",
    )
    add_task_options(parser)


def run_denoise(options: argparse.Namespace) -> int:
    """Remove noise from images; return 0."""
    return run_task("denoise", options, noise=options.noise)


def add_detect_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ae-multi detect``."""
    classes = parser.add_mutually_exclusive_group()
    classes.add_argument(
        "--normal",
        type=int,
        metavar="N",
        help="class of images that is normal; all others are anomalous (default: 2)",
    )
    classes.add_argument(
        "--anomalous",
        type=int,
        metavar="N",
        help="class of images that is anomalous; all others are normal",
    )
    # The former name of --anomalous.
    classes.add_argument("--strange", dest="anomalous", type=int, help=argparse.SUPPRESS)
    parser.add_argument(
        "--label",
        metavar="COLUMN",
        help="with --data FILE.csv: column that is 1 for anomalous rows and 0 for normal rows",
    )
    add_task_options(parser)


def run_detect(options: argparse.Namespace) -> int:
    """Find anomalies among images or in a table; return 0."""
    table = options.data if options.data.lower().endswith(".csv") else None
    if (table is None) != (options.label is None):
        raise InputError(
            "Expected --data FILE.csv and --label COLUMN together. "
            f"Received: --data {options.data} "
            f"{'alone' if options.label is None else f'and --label {options.label}'}."
        )
    if table is not None and options.data_path is not None:
        raise InputError(f"Expected no --data-path with a table. Received: {options.data_path}.")
    for name in ("normal", "anomalous"):
        if table is not None and getattr(options, name) is not None:
            raise InputError(
                f"Expected no --{name} with a table. Received: {getattr(options, name)}."
            )
    return run_task(
        "detect",
        options,
        normal=options.normal,
        anomalous=options.anomalous,
        table=table,
        label=options.label,
    )


def add_segment_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ae-multi segment``."""
    add_task_options(parser)


def run_segment(options: argparse.Namespace) -> int:
    """Mark digits on clutter; return 0."""
    return run_task("segment", options)


def add_features_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ae-multi features``."""
    _add_network_options(parser, 32, "depends on the code size")
    parser.add_argument(
        "--masked",
        type=_fraction,
        default="auto",
        metavar="X",
        help="fraction of the pixels that training sets to 0 (default: 0.75 for a code size of "
        "16 or more, otherwise 0)",
    )
    add_task_options(parser)


def run_features(options: argparse.Namespace) -> int:
    """Classify images by their codes; return 0."""
    return run_task(
        "features",
        options,
        latent_dim=options.latent_dim,
        masked=options.masked,
        hidden=options.hidden,
    )


def _add_network_options(parser: argparse.ArgumentParser, latent_dim: int, hidden: str) -> None:
    """Add the options of the code and the hidden layers, with these defaults in the help."""
    parser.add_argument(
        "--latent-dim",
        type=int,
        default=latent_dim,
        metavar="N",
        help=f"size of the code (default: {latent_dim})",
    )
    parser.add_argument(
        "--hidden",
        type=_sizes,
        default="auto",
        metavar="SIZES",
        help="comma-separated sizes of the hidden layers of the encoder, such as 1000,500,250 "
        f"(default: {hidden})",
    )


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
        from ae_multi.training.progress_bar import reporting

        with reporting(report):
            run = getattr(importlib.import_module(f"ae_multi.tasks.{name}"), name)
            result = run(task, **kwargs)
    try:
        if options.json:
            write_json(options.json, {**result.to_json(), "machine": describe_machine()})
        if options.figure:
            from ae_multi.tasks.plotting import draw_result

            draw_result(result, options.figure)
    finally:
        print_result(out, result)
    return 0


def _sizes(text: str) -> tuple[int, ...] | str:
    """Convert ``1000,500`` to (1000, 500); return "auto" unchanged."""
    if text == "auto":
        return text
    try:
        return tuple(int(part) for part in comma_separated(text))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected auto or comma-separated integers, received {text!r}"
        ) from None


def _fraction(text: str) -> float | str:
    """Convert ``0.5`` to a number; return "auto" unchanged."""
    if text == "auto":
        return text
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected auto or a number, received {text!r}") from None
