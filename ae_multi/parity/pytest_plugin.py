"""Plugin for pytest: the fixture ``assert_parity``, and options for the interpreters.

Pytest loads the plugin at each start in an environment where this package is installed. So the
plugin imports only pytest until the fixture is used.
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
        help="Python interpreter for assert_parity; may be repeated. Either all names are backends "
        "(torch, tensorflow, jax, numpy, openvino), or all are other names, of environments to "
        "compare (default: the backends that are installed in this environment)",
    )


@pytest.fixture(scope="session")
def assert_parity(pytestconfig: pytest.Config) -> Callable[..., Report]:
    """Function that checks a model with `ae_multi.parity.check` and fails if backends differ.

    It takes the arguments of `ae_multi.parity.check` and returns the report. Where backends differ,
    it raises an `AssertionError` with the text of the report.
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
    """Return a reference from which child processes can import a function of a test file.

    It is "file.py:function" for a file outside of a package, since other processes cannot import
    such a file by its module's name. Other values are returned unchanged.
    """
    module = inspect.getmodule(build_model) if inspect.isfunction(build_model) else None
    file = getattr(module, "__file__", None)
    if module is None or file is None or getattr(module, "__package__", None):
        return build_model
    if "." in build_model.__qualname__:
        return build_model  # a nested function, for which `check` raises an error
    return f"{Path(file).resolve()}:{build_model.__name__}"
