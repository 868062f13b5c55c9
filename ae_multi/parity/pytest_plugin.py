"""Plugin for pytest: the fixture ``assert_parity``, and options for the interpreters.

The plugin is loaded at the start of every pytest where this package is installed, so it imports
nothing but pytest until the fixture is used.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ae_multi.parity.report import Report


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the plugin."""
    group = parser.getgroup("ae_multi", "parity of Keras models (ae_multi)")
    group.addoption(
        "--ae-multi-python",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="Python interpreter for assert_parity, repeated for each. NAME is a backend (torch, "
        "tensorflow, jax) or, in all of them, any name of an environment (default: the backends "
        "that are installed in this environment)",
    )


@pytest.fixture(scope="session")
def assert_parity(pytestconfig: pytest.Config) -> Callable[..., Report]:
    """Function that checks a model as `ae_multi.parity.check` does, with the same arguments.

    It returns the report. Where backends differ, it fails with the text of the report.
    """
    interpreters = _interpreters(pytestconfig.getoption("--ae-multi-python"))

    def assert_parity(build_model: Any, *arguments: Any, **keywords: Any) -> Report:
        __tracebackhide__ = True
        from ae_multi.parity import check

        report = check(_reference(build_model), *arguments, **{**interpreters, **keywords})
        if not report.agree:
            raise AssertionError(f"Backends differ.\n{report}")
        return report

    return assert_parity


def _interpreters(texts: list[str]) -> dict[str, Any]:
    """Return the values of ``--ae-multi-python`` as keywords of `check`."""
    from ae_multi.backend_selection import BACKENDS, FORWARD_ONLY

    pythons = {}
    for text in texts:
        name, _, path = text.partition("=")
        if not name or not path or name in pythons:
            raise pytest.UsageError(
                f"Expected --ae-multi-python NAME=PATH with each name once. Received: {text!r}."
            )
        pythons[name] = path
    if not pythons:
        return {}
    known = [name for name in pythons if name in (*BACKENDS, *FORWARD_ONLY)]
    if known and len(known) < len(pythons):
        raise pytest.UsageError(
            "Expected --ae-multi-python with names of backends, or with other names only. "
            f"Received: {', '.join(pythons)}."
        )
    return {"pythons": pythons} if known else {"environments": pythons}


def _reference(build_model: Any) -> Any:
    """Return a reference by which child processes find a function of a test file.

    Test files outside of packages are not on the path of other processes.
    """
    module = inspect.getmodule(build_model) if inspect.isfunction(build_model) else None
    file = getattr(module, "__file__", None)
    if module is None or file is None or getattr(module, "__package__", None):
        return build_model
    if "." in build_model.__qualname__:
        return build_model  # `check` says what is wrong with it
    return f"{Path(file).resolve()}:{build_model.__name__}"
