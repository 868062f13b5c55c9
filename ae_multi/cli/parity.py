"""``ae-multi parity``: compare any Keras model on every backend, step by step."""

import argparse
from pathlib import Path
from typing import Any

from ae_multi.argument_checks import check_positive
from ae_multi.cli.options import add_backend_options, backend_python, check_figure
from ae_multi.compare import MODELS
from ae_multi.data.load import NAMES
from ae_multi.environment import describe_machine
from ae_multi.errors import InputError
from ae_multi.io import npy
from ae_multi.io.atomic import check_file, check_writable, wrap_read_errors
from ae_multi.parity.job import DTYPE_POLICIES
from ae_multi.parity.model_check import check
from ae_multi.report.drift import draw_curves
from ae_multi.report.parity_html import write_parity_page
from ae_multi.report.parity_tables import print_report, write_reports
from ae_multi.report.progress import BackendProgress
from ae_multi.report.tables import console


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "build",
        metavar="MODEL",
        nargs="*",
        help="function that returns a Keras model, as module:function or file.py:function, or a "
        ".keras file; may be repeated (default: the models of this package, on MNIST)",
    )
    add_backend_options(parser)
    parser.add_argument(
        "--env",
        type=_environment,
        action="append",
        default=[],
        metavar="NAME=PYTHON",
        help="interpreter of an environment to compare, repeated for each; replaces --backends "
        "and --python",
    )
    add_model_options(parser)
    parser.add_argument("--float64", action="store_true", help="also compare all stages in float64")
    parser.add_argument(
        "--training",
        type=int,
        default=0,
        metavar="N",
        help="also compare N epochs with the optimizer of the model; the bound is the measured "
        "effect of rounding",
    )
    parser.add_argument(
        "--spread-runs",
        type=int,
        default=6,
        metavar="N",
        help="repetitions of --training on the fastest backend, perturbed by rounding (default: 6)",
    )
    parser.add_argument(
        "--plans", action="store_true", help="also compare every plan of each backend"
    )
    parser.add_argument(
        "--script",
        type=Path,
        metavar="FILE.py",
        help="write a script that reproduces the first divergence of a layer, a gradient, a weight "
        "or a loss with Keras alone",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report as JSON")
    parser.add_argument(
        "--html",
        type=Path,
        metavar="FILE",
        help="write the report as one self-contained HTML page",
    )
    parser.add_argument(
        "--figure",
        type=Path,
        metavar="FILE",
        help="draw the distance from float64 at each step (needs --epoch or --training)",
    )


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the data and the steps of a model."""
    parser.add_argument(
        "--data",
        action="append",
        metavar="FILE.npy|NAME",
        help="inputs, repeated for each input of the model; or a data set: mnist, mnist-sample, "
        "digits, auto",
    )
    parser.add_argument(
        "--data-path",
        metavar="PATH",
        help="folder with the IDX files of MNIST, or an mnist.npz (also set by the environment "
        "variable AE_MULTI_MNIST)",
    )
    parser.add_argument(
        "--targets",
        type=Path,
        action="append",
        metavar="FILE.npy",
        help="targets, repeated for each output of the model (default: the inputs where they fit, "
        "otherwise values drawn from the seed)",
    )
    parser.add_argument(
        "--shape",
        type=_shape,
        action="append",
        metavar="N,N,N",
        help="shape of one sample, repeated for each input of the model, for inputs drawn from "
        "the seed; replaces --data",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="seed of everything random that the model does not seed (default: 0)",
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=20,
        metavar="N",
        help="training steps to compare (default: 20)",
    )
    parser.add_argument(
        "--epoch", action="store_true", help="also compare an epoch of SGD with momentum"
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        help="samples per batch (default: 32; 128 with the name of a data set)",
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="start from the weights of a .keras or .weights.h5 file, in place of the seed",
    )
    parser.add_argument(
        "--dtype-policy",
        choices=DTYPE_POLICIES,
        help="Keras's dtype policy of layers that have none of their own (default: float32)",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="compare forward passes and the gradient only, without training steps and without "
        "Keras's numpy backend",
    )


def run(options: argparse.Namespace) -> int:
    """Check each model; return 0 if the backends agree on all, 1 if they differ."""
    _check_options(options)
    keywords = model_keywords(options)
    log, reports = console(stderr=True), []
    for build in options.build or [f"ae_multi.models:{name}" for name in MODELS.values()]:
        with BackendProgress(log) as progress:
            report = check(
                build,
                **keywords,
                backends=options.backends,
                epoch=options.epoch,
                float64=options.float64,
                training=options.training,
                plans=options.plans,
                spread_runs=options.spread_runs,
                pythons=dict(options.python),
                environments=_environments(options),
                script=options.script,
                on_event=progress.on_event,
            )
        reports.append(report)
        print_report(console(), report)
    if options.json:
        write_reports(options.json, reports)
    if options.html:
        write_parity_page(reports, options.html, describe_machine())
    if options.figure:
        draw_curves(reports, options.figure)
    return 0 if all(report.agree for report in reports) else 1


def model_keywords(options: argparse.Namespace) -> dict[str, Any]:
    """Return the parsed options of `add_model_options` as keywords of `check` and `record`.

    Raises:
        InputError: the options contradict each other, or a file is not an array.
    """
    data_sets = [name for name in options.data or [] if name in NAMES]
    if data_sets and len(options.data) > 1:
        raise InputError(f"Expected one data set by name. Received: {', '.join(options.data)}.")
    data = data_sets[0] if data_sets else _load(options.data)
    if data is None and options.shape is None:
        if options.build:
            raise InputError(
                "Expected data for a custom model: --shape N,N,N (the shape of one sample, "
                "for data drawn from the seed) or --data FILE.npy. Received: neither."
            )
        data = "auto"
    if data is not None and options.shape is not None:
        raise InputError("Expected either --data or --shape. Received: both.")
    batch_size = options.batch_size
    if batch_size is None:
        batch_size = 128 if isinstance(data, str) else 32
    return {
        "x": data,
        "y": _load(options.targets),
        "shape": options.shape,
        "seed": options.seed,
        "steps": options.steps,
        "batch_size": batch_size,
        "weights": options.weights,
        "dtype_policy": options.dtype_policy,
        "quick": options.quick,
        "data_path": options.data_path,
    }


def _check_options(options):
    """Raise an `InputError` for options that would otherwise fail only after the work."""
    if options.json:
        check_writable(options.json, "the JSON")
    if options.html:
        check_writable(options.html, "the HTML")
    if options.script:
        check_writable(options.script, "the script")
    if options.figure:
        check_figure(options.figure)
    if options.script and options.script.suffix != ".py":
        raise InputError(f"Expected a script named .py. Received: {options.script}.")
    if options.script and len(options.build) != 1:
        raise InputError(f"Expected one model with --script. Received: {len(options.build)}.")
    if options.figure and not (options.epoch or options.training):
        raise InputError("Expected --epoch or --training with --figure. Received: neither.")
    check_positive(steps=options.steps, batch_size=options.batch_size)
    if options.weights is not None and len(options.build) != 1:
        raise InputError(f"Expected one model with --weights. Received: {len(options.build)}.")
    if options.quick and (options.epoch or options.training or options.plans):
        raise InputError(
            "Expected --quick without --epoch, --training and --plans. Received: both."
        )
    if options.env and (options.backends or options.python):
        raise InputError("Expected --env without --backends and --python. Received: both.")
    if options.training < 0:
        raise InputError(f"Expected --training of at least 0. Received: {options.training}.")
    if options.spread_runs < 2:
        raise InputError(
            "Expected --spread-runs of at least 2: one run has no spread. "
            f"Received: {options.spread_runs}."
        )


def _environments(options):
    """Return a dict of name to interpreter for ``--env``, or None without it."""
    names = [name for name, _ in options.env]
    if len(set(names)) < len(names):
        raise InputError(f"Expected each environment once. Received: {', '.join(names)}.")
    return dict(options.env) or None


def _environment(text):
    try:
        return backend_python(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"expected NAME=PYTHON, received {text!r}") from None


def _shape(text):
    try:
        return tuple(int(size) for size in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected sizes like 32,32,3, received {text!r}"
        ) from None


def _load(paths):
    """Load the arrays of .npy files, without pickle; return None if ``paths`` is None."""
    if paths is None:
        return None
    arrays = []
    for path in paths:
        check_file(path, "an array in an .npy file")
        with wrap_read_errors(path, ".npy file"), open(path, "rb") as file:
            arrays.append(npy.read(file, Path(path).stat().st_size, path))
    return arrays
