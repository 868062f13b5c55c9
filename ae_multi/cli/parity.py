"""``ae-multi parity``: whether anybody's Keras model is the same on every backend."""

import argparse
from pathlib import Path

import numpy as np

from ae_multi.cli.options import add_backend_options
from ae_multi.errors import InputError
from ae_multi.files import check_writable
from ae_multi.parity.check import check
from ae_multi.report.json import write_json
from ae_multi.report.ladder import print_report
from ae_multi.report.machine import machine
from ae_multi.report.tables import console


def add_options(parser):
    """What can be asked for."""
    parser.add_argument(
        "build", metavar="MODULE:FUNCTION",
        help="a function that returns a Keras model (module:function or file.py:function)",
    )  # fmt: skip
    parser.add_argument(
        "--data", type=Path, action="append", metavar="FILE.npy",
        help="inputs; once for each input of the model",
    )  # fmt: skip
    parser.add_argument(
        "--targets", type=Path, action="append", metavar="FILE.npy",
        help="targets; once for each output (default: the inputs, or numbers from the seed)",
    )  # fmt: skip
    parser.add_argument(
        "--shape", type=_shape, action="append", metavar="N,N,N",
        help="in place of data: the shape of one sample, for data drawn from the seed",
    )  # fmt: skip
    add_backend_options(parser)
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--steps", type=int, default=20, metavar="N", help="default: 20")
    parser.add_argument("--batch-size", type=int, default=32, metavar="N", help="default: 32")
    parser.add_argument(
        "--script", type=Path, metavar="FILE.py",
        help="where a first divergence in a layer goes, as a script that needs Keras alone",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all of it as JSON")


def run(options):
    """Check; return 0 if the backends agree, 1 if they part."""
    if options.json:
        check_writable(options.json, "the JSON")
    if options.script:
        check_writable(options.script, "the script")
        if options.script.suffix != ".py":
            raise InputError(f"Expected a script named .py. Received: {options.script}.")
    with console(stderr=True).status("recording") as status:
        report = check(
            options.build,
            x=_load(options.data),
            y=_load(options.targets),
            shape=options.shape,
            backends=options.backends,
            seed=options.seed,
            steps=options.steps,
            batch_size=options.batch_size,
            pythons=dict(options.python),
            script=options.script,
            on_event=lambda name, event: status.update(f"{name} recorded"),
        )
    print_report(console(), report)
    if options.json:
        write_json(options.json, {**report.to_json(), "machine": machine()})
    return 0 if report.agree else 1


def _shape(text):
    try:
        return tuple(int(size) for size in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected sizes like 32,32,3, received {text!r}"
        ) from None


def _load(paths):
    """Arrays from .npy files, never unpickled; None for none."""
    if paths is None:
        return None
    arrays = []
    for path in paths:
        try:
            arrays.append(np.load(path, allow_pickle=False))
        except (OSError, ValueError, EOFError) as error:
            raise InputError(
                f"Expected an array in a whole .npy file. Received: {path} ({error})."
            ) from error
    return arrays
