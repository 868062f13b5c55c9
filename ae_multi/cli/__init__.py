"""The command ``ae-multi``: one module a subcommand, each importing what it needs when called."""

import argparse
import importlib
import signal
import sys

from ae_multi.cli.status import status_of

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

    0: done (and, for a comparison, the backends agree); 1: the backends part, or a backend's
    process failed; 2: a usage error; 130: interrupted.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    parser = _parser(next((word for word in arguments if word in _COMMANDS), None))
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 2
    # SIGTERM, too, is to end children and remove temporary files on its way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return status_of(f"ae-multi {options.command}", lambda: options.run(options))


def _parser(chosen):
    """The parser; only the chosen subcommand's module is imported, so that help comes at once."""
    parser = argparse.ArgumentParser(
        prog="ae-multi",
        description="Autoencoders written once in Keras 3, run and compared on PyTorch, "
        "TensorFlow and JAX.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, summary in _COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary.capitalize()}.")
        if name == chosen:
            module = importlib.import_module(f"ae_multi.cli.{name}")
            module.add_options(command)
            command.set_defaults(run=module.run)
    return parser
