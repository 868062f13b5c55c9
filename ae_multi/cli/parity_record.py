"""``ae-multi parity record``: record a model's trace on one backend to a file."""

import argparse
from pathlib import Path

from ae_multi.argument_checks import check_positive
from ae_multi.cli.options import add_backend_options
from ae_multi.cli.parity import add_model_options, model_keywords
from ae_multi.errors import InputError
from ae_multi.io.atomic import check_writable
from ae_multi.parity.recorded_traces import record
from ae_multi.report.progress import BackendProgress
from ae_multi.report.tables import console


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "build",
        metavar="MODEL",
        nargs=1,
        help="function that returns a Keras model, as module:function or file.py:function, or a "
        ".keras file",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE.trace", help="the file to write"
    )
    parser.add_argument(
        "--no-reference",
        action="store_true",
        help="leave out the float64 reference, which one of the compared traces must have",
    )
    add_backend_options(parser)
    add_model_options(parser)


def run(options: argparse.Namespace) -> int:
    """Record the trace and return 0."""
    check_positive(steps=options.steps, batch_size=options.batch_size)
    if options.quick and options.epoch:
        raise InputError("Expected --quick without --epoch. Received: both.")
    check_writable(options.out, "the trace")
    pythons = dict(options.python)
    names = options.backends or tuple(pythons)
    if len(names) > 1 or any(name not in names for name in pythons):
        raise InputError(
            "Expected one backend, whose trace is recorded. "
            f"Received: {', '.join(dict.fromkeys((*names, *pythons)))}."
        )
    name = names[0] if names else None
    with BackendProgress(console(stderr=True)) as progress:
        file = record(
            options.build[0],
            **model_keywords(options),
            out=options.out,
            backend=name,
            python=pythons.get(name) if name else None,
            epoch=options.epoch,
            reference=not options.no_reference,
            on_event=progress.on_event,
        )
    about = file.trace.about
    reference = "with" if file.reference else "without"
    console().print(
        f"Recorded {file.model} on {about['backend']} {about['versions'][about['backend']]} "
        f"{reference} a float64 reference: {options.out}, "
        f"{options.out.stat().st_size / 1024:,.0f} kB.",
        markup=False,
        soft_wrap=True,
    )
    return 0
