"""The command ``ae-multi``: one module a subcommand, each importing what it needs when called."""

import argparse
import importlib
import sys

import ae_multi
from ae_multi.cli.interrupts import INTERRUPTED, exit_at_once, raise_on_signals
from ae_multi.cli.startup import hide_notices
from ae_multi.cli.status import status_of
from ae_multi.terminal import discard, write_any_text

_COMMANDS = {
    "compare": "train the same models on every backend and say whether they agree",
    "train": "train one model on the current backend and save it",
    "parity": "check, step by step, whether a Keras model is the same on every backend",
    "reduce": "squeeze images through a short code, beside PCA",
    "denoise": "take noise out of images, beside the best linear filter",
    "detect": "find anomalies among images or in a table, beside PCA",
    "segment": "mark digits on clutter, beside thresholds on brightness",
    "features": "classify by codes, beside PCA's",
    "export": "write a model or an estimator in a format that others run, and try it",
    "info": "show versions, devices and where the data would come from",
}


def main(arguments=None):
    """Run ``ae-multi`` with ``arguments``; return the exit status.

    0: done (and, for a comparison, the backends agree); 1: the backends differ, or a backend's
    process failed; 2: a usage error; 130: interrupted.

    Args:
        arguments: list of strings, or None for those of the process, which then ends here when it
            is interrupted.
    """
    is_process = arguments is None
    arguments = sys.argv[1:] if is_process else list(arguments)
    command = next((word for word in arguments if word in _COMMANDS), None)
    for stream in (sys.stdout, sys.stderr):
        write_any_text(stream)
    if is_process:
        raise_on_signals()
        hide_notices()
    name = " ".join(["ae-multi", *([command] if command else [])])
    try:
        status = status_of(name, lambda: _run(arguments, command))
    except SystemExit as ended:  # by argparse
        if not _flush():
            raise SystemExit(1) from None
        raise ended from None
    if not _flush():
        status = status or 1
    if is_process and status == INTERRUPTED:
        exit_at_once(status)
    return status


def _run(arguments, command):
    """Run the subcommand that ``arguments`` name; return the exit status."""
    parser = _parser(command)
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 2
    return options.run(options)


def _parser(chosen):
    """The parser; only the chosen subcommand's module is imported, so that help comes at once."""
    parser = argparse.ArgumentParser(
        prog="ae-multi",
        description="Autoencoders written once in Keras 3, run and compared on PyTorch, "
        "TensorFlow and JAX.",
    )
    parser.add_argument("--version", action="version", version=f"ae-multi {ae_multi.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, summary in _COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary.capitalize()}.")
        if name == chosen:
            module = importlib.import_module(f"ae_multi.cli.{name}")
            module.add_options(command)
            command.set_defaults(run=module.run)
    return parser


def _flush():
    """Write what is left to stdout; return whether it could be written.

    Python would try again as it ends, and print a traceback.
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
