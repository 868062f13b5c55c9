"""Fixtures of the tests of commands."""

import dataclasses
import subprocess

import pytest

from ae_multi.cli import main


@pytest.fixture
def run_here(capsys):
    """Return a function that runs a command in this process."""

    def run(*arguments):
        status = main([*map(str, arguments)])
        return subprocess.CompletedProcess(arguments, status, *capsys.readouterr())

    return run


@pytest.fixture
def few_digits(monkeypatch, digits):
    """Return the first 40 digits, which replace any data set."""
    few = dataclasses.replace(
        digits,
        **{name: getattr(digits, name)[:40] for name in ("x_train", "y_train", "x_test", "y_test")},
    )
    monkeypatch.setattr("ae_multi.data.load_data", lambda *arguments: few)
    return few
