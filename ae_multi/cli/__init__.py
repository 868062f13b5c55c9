"""The command ``ae-multi``. The module of a subcommand is imported when it is called."""

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import NamedTuple

import ae_multi
from ae_multi.cli.interrupts import INTERRUPTED, exit_at_once, raise_on_signals
from ae_multi.cli.startup import hide_notices
from ae_multi.cli.status import status_of
from ae_multi.terminal import discard, write_any_text


class _Command(NamedTuple):
    """A subcommand: its description, and the functions of its module in ``ae_multi.cli``."""

    summary: str
    module: str
    add_options: str = "add_options"
    run: str = "run"


_COMMANDS = {
    "compare": _Command(
        "train the same models on every backend and compare the results", "compare"
    ),
    "train": _Command("train one model on the current backend and save it", "train"),
    "parity": _Command("compare a Keras model on every backend, step by step", "parity"),
    "parity record": _Command(
        "record a model's trace on one backend to a file", "parity_record"
    ),
    "parity compare": _Command(
        "compare recorded traces, without running the model", "parity_compare"
    ),
    "reduce": _Command(
        "encode images as short codes and compare with PCA",
        "tasks", "add_reduce_options", "run_reduce",
    ),
    "denoise": _Command(
        "remove noise from images and compare with the best linear filter",
        "tasks", "add_denoise_options", "run_denoise",
    ),
    "detect": _Command(
        "find anomalies among images or in a table and compare with PCA",
        "tasks", "add_detect_options", "run_detect",
    ),
    "detect fit": _Command(
        "train an anomaly detector on a table, a series or images and save it", "detect_fit"
    ),
    "detect score": _Command(
        "score the rows of a table or images by a saved detector", "detect_score"
    ),
    "detect report": _Command(
        "write an HTML page about the scores of a table or of images", "detect_report"
    ),
    "segment": _Command(
        "mark digits on clutter and compare with brightness thresholds",
        "tasks", "add_segment_options", "run_segment",
    ),
    "features": _Command(
        "classify images by their codes and compare with PCA",
        "tasks", "add_features_options", "run_features",
    ),
    "export": _Command(
        "export a model or an estimator to another format and verify the file", "export"
    ),
    "info": _Command("show versions, devices and the location of the data", "info"),
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command ``ae-multi``.

    Args:
        arguments: the arguments of the command line, or None for those of the process. In the
            latter case signals are handled, and an interrupt ends the process here.

    Returns:
        The exit status. 0: done (``compare``, ``parity``: the backends agree). 1: the backends
        differ, or the command failed. 2: usage error. 130: interrupted.
    """
    is_process = arguments is None
    words = _join_commands(sys.argv[1:] if arguments is None else arguments)
    command = next((word for word in words if word in _COMMANDS), None)
    for stream in (sys.stdout, sys.stderr):
        write_any_text(stream)
    if is_process:
        raise_on_signals()
        hide_notices()
    name = " ".join(["ae-multi", *([command] if command else [])])
    try:
        status = status_of(name, lambda: _run(words, command))
    except SystemExit as error:  # raised by argparse
        if not _flush():
            raise SystemExit(1) from None
        raise error from None
    if not _flush():
        status = status or 1
    if is_process and status == INTERRUPTED:
        exit_at_once(status)
    return status


def _join_commands(arguments):
    """Return the arguments with a command of two words, such as ``parity record``, as one."""
    words = list(arguments)
    if len(words) > 1 and " ".join(words[:2]) in _COMMANDS:
        words[:2] = [" ".join(words[:2])]
    return words


def _run(arguments, command):
    """Run the subcommand that ``arguments`` name and return the exit status."""
    parser = _parser(command)
    options = parser.parse_args(arguments)
    options.arguments = arguments
    if options.command is None:
        parser.print_help()
        return 2
    return options.run(options)


def _parser(chosen):
    """Return the parser. Only the chosen subcommand is imported, which keeps ``--help`` fast."""
    parser = argparse.ArgumentParser(
        prog="ae-multi",
        description="Train autoencoders written in Keras 3 on PyTorch, TensorFlow and JAX, and "
        "compare the backends.",
    )
    parser.add_argument("--version", action="version", version=f"ae-multi {ae_multi.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, command in _COMMANDS.items():
        description = f"{command.summary[0].upper()}{command.summary[1:]}."
        subparser = commands.add_parser(name, help=command.summary, description=description)
        if name == chosen:
            module = importlib.import_module(f"ae_multi.cli.{command.module}")
            getattr(module, command.add_options)(subparser)
            subparser.set_defaults(run=getattr(module, command.run))
    return parser


def _flush():
    """Flush stdout and return whether that succeeded.

    Otherwise Python would try again at its exit and print a traceback.
    """
    if sys.stdout is None:
        return True
    try:
        sys.stdout.flush()
    except OSError as error:
        discard(sys.stdout)
        if not isinstance(error, BrokenPipeError):
            print(f"ae-multi: cannot write the output: {error.strerror}", file=sys.stderr)
            return False
    return True
