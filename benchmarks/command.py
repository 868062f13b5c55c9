"""What the commands that measure have in common: options, figures gone on with."""

from pathlib import Path

from ae_multi.cli.options import add_backend_options, interpreters_of
from ae_multi.environment import describe_machine
from ae_multi.errors import InputError
from ae_multi.io import json
from ae_multi.io.atomic import check_writable
from ae_multi.report.json_file import write_json
from ae_multi.report.tables import console
from benchmarks.processes import run


def add_run_options(parser, json_help):
    """Backends, device and where to write."""
    add_backend_options(parser)
    parser.add_argument("--device", choices=["cpu", "gpu"], help="default: what there is")
    parser.add_argument("--json", type=Path, metavar="FILE", help=json_help)


def add_jobs_option(parser):
    """How many processes at once."""
    parser.add_argument(
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help="so many runs at once, each with cores of its own (default: 1)",
    )


def check_paths(json_path=None, figure=None):
    """Raise `InputError` where what was measured could not be written."""
    for path, what in ((json_path, "the JSON"), (figure, "the figure")):
        if path:
            check_writable(path, what)


def recorded_before(path, what, missing=None):
    """The list ``what`` in the JSON file ``path``; empty where there is no such file.

    Args:
        path: a file, or None.
        what: a name.
        missing: what stands for a list that the file does not have, if it may be without.
    """
    if not path or not path.exists():
        return []
    before = json.read(path, "what was measured before")
    found = before.get(what, missing) if isinstance(before, dict) else None
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise InputError(f"Expected {path} to hold the list {what}. Received: other JSON.")
    return found


def measure_models(options, module, job):
    """``measure`` of ``benchmarks.MODULE`` for each backend and model that was asked for.

    Args:
        options: what was asked for, with ``model`` beside what `add_run_options` adds.
        module: its name.
        job: keywords of ``measure`` besides ``model``.

    Returns:
        Dict of ``machine`` and ``results``; the JSON that was asked for is written after each.
    """
    interpreters = interpreters_of(options)
    recorded = {"machine": describe_machine(), "results": []}
    with console(stderr=True).status("starting") as status:
        for backend in interpreters.available()[0]:
            for model in options.model:
                status.update(f"{backend}: {model}")
                asked = {"model": model, **job}
                found = run(interpreters.python(backend), backend, module, asked, options.device)
                recorded["results"].append({**found, "date": recorded["machine"]["date"]})
                if options.json:
                    write_json(options.json, recorded)
    return recorded
