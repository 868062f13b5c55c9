"""What the commands that measure have in common: options, errors told, figures gone on with."""

import sys
from pathlib import Path

from ae_multi.cli.options import add_backend_options
from ae_multi.errors import BackendError, InputError, WorkerError
from ae_multi.files import check_writable
from ae_multi.safe import json


def add_run_options(parser, json_help):
    """Backends, device and where to write."""
    add_backend_options(parser)
    parser.add_argument("--device", choices=["cpu", "gpu"], help="default: what there is")
    parser.add_argument("--json", type=Path, metavar="FILE", help=json_help)


def check_names(option, names, known):
    """Raise `InputError` that names the first of ``names`` which nobody knows."""
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"Expected {option} among {', '.join(known)}. Received: {unknown[0]!r}.")


def check_paths(json_path=None, figure=None):
    """Raise `InputError` where what was measured could not be written."""
    for path, what in ((json_path, "the JSON"), (figure, "the figure")):
        if path:
            check_writable(path, what)


def status_of(name, job):
    """The exit status that ``job()`` returns, or that of its error, which is told."""
    try:
        return job()
    except (BackendError, InputError, WorkerError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2 if isinstance(error, InputError) else 1


def recorded_before(path, what):
    """The list ``what`` in the JSON file ``path``; empty where there is none."""
    if not path or not path.exists():
        return []
    before = json.read(path, "what was measured before")
    found = before.get(what) if isinstance(before, dict) else None
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise InputError(f"Expected {path} to hold the list {what}. Received: other JSON.")
    return found
