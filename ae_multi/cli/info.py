"""``ae-multi info``: what is here."""

import platform
from importlib import metadata

from rich.table import Table

import ae_multi
from ae_multi.cli.options import add_python_option
from ae_multi.data.mnist import VARIABLE, whereabouts
from ae_multi.errors import BackendError, InputError, WorkerError
from ae_multi.report.progress import JobProgress
from ae_multi.report.tables import console
from ae_multi.selection import BACKENDS, install_advice, installed
from ae_multi.subprocesses.interpreters import Interpreters
from ae_multi.subprocesses.launcher import run as run_job

_PACKAGES = ("keras", "numpy", "scikit-learn", "matplotlib", "rich")


def add_options(parser):
    """What can be asked for."""
    add_python_option(parser)


def run(options):
    """Print versions, devices and the data's whereabouts; return 0."""
    out = console()
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in _PACKAGES)
    out.print(f"ae-multi {ae_multi.__version__}, Python {platform.python_version()}, {versions}")
    table = Table("backend", "version", "device", box=None, padding=(0, 2, 0, 0))
    interpreters = Interpreters(pythons=dict(options.python))
    with JobProgress(console(stderr=True)) as progress:
        for place, backend in enumerate(BACKENDS):
            progress.update("info", f"starting {backend}", place, len(BACKENDS))
            table.add_row(backend, *_describe(interpreters, backend))
    out.print(table)
    kind, place = whereabouts()
    origin = {
        "path": f"{place} (named by {VARIABLE})",
        "cache": f"{place} (Keras's cache)",
        "download": f"{place} (download), or the sample in the package where there is no network",
    }
    out.print(f"MNIST would come from: {origin[kind]}", soft_wrap=True)
    return 0


def _describe(interpreters, backend):
    """(version, device) of one backend, asked in a process of its own."""
    if backend not in interpreters.pythons and not installed(backend):
        return "not installed", install_advice(backend)
    job = {"run": "ae_multi.environment:emit_backend"}
    try:
        events = list(run_job(interpreters.python(backend), backend, job))
    except (BackendError, InputError, WorkerError) as error:
        return "fails", str(error)
    return events[0]["versions"][backend], events[0]["device"]
