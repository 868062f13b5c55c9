"""``ae-multi info``: show versions, devices and the location of the data."""

import argparse
import platform
from importlib import metadata

from rich.table import Table

import ae_multi
from ae_multi.backend_selection import BACKENDS, install_advice, installed
from ae_multi.cli.options import add_python_option
from ae_multi.data.mnist import VARIABLE, whereabouts
from ae_multi.errors import BackendError, InputError, WorkerError
from ae_multi.report.progress import JobProgress
from ae_multi.report.tables import console
from ae_multi.subprocesses.interpreters import Interpreters
from ae_multi.subprocesses.launcher import run as run_job

_PACKAGES = ("keras", "numpy", "scikit-learn", "matplotlib", "rich")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_python_option(parser)


def run(options: argparse.Namespace) -> int:
    """Print versions, devices and the location of MNIST; return 0."""
    out = console()
    versions = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    out.print(f"ae-multi {ae_multi.__version__}, Python {platform.python_version()}, {versions}")
    table = Table("backend", "version", "device", box=None, padding=(0, 2, 0, 0))
    interpreters = Interpreters(pythons=dict(options.python))
    with JobProgress(console(stderr=True)) as progress:
        for number, backend in enumerate(BACKENDS):
            progress.update("info", f"starting {backend}", number, len(BACKENDS))
            table.add_row(backend, *_describe(interpreters, backend))
    out.print(table)
    kind, location = whereabouts()
    source = {
        "path": f"{location} (set by {VARIABLE})",
        "cache": f"{location} (cache of Keras)",
        "download": f"{location} (download), or the bundled sample without a network",
    }
    out.print(f"Location of MNIST: {source[kind]}", soft_wrap=True)
    return 0


def _version(package: str) -> str:
    """Return the version of an installed package; of Keras, also of its development version."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return metadata.version(f"{package}-nightly")


def _describe(interpreters, backend):
    """Return (version, device) of a backend, from a separate process."""
    if backend not in interpreters.pythons and not installed(backend):
        return "not installed", install_advice(backend)
    job = {"run": "ae_multi.environment:emit_backend"}
    try:
        events = list(run_job(interpreters.python(backend), backend, job))
    except (BackendError, InputError, WorkerError) as error:
        return "fails", str(error)
    return events[0]["versions"][backend], events[0]["device"]
