"""Exit statuses and error messages of commands."""

import io
import sys

import pytest

import ae_multi
from ae_multi.cli import main
from ae_multi.cli.status import status_of
from ae_multi.errors import InputError
from ae_multi.report.tables import plain_table
from tests.reference.names import NAMES

ENCODINGS = ("ascii", "cp1252", "latin-1", "utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_errors_contain_names_literally(name, capsys):
    assert main(["detect", "--data", name]) == 2
    assert f"Received: --data {name} alone" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_tables_and_errors_are_printed_in_any_encoding(encoding, monkeypatch):
    from ae_multi.report.tables import console

    raw = {name: io.BytesIO() for name in ("stdout", "stderr")}
    for name, buffer in raw.items():
        monkeypatch.setattr(sys, name, io.TextIOWrapper(buffer, encoding=encoding))
    table = plain_table("28×28 pixels of σ ≤ 0.4")
    table.add_column("größe")
    table.add_row("└ ─ 漢")
    console().print(table)

    def fail():
        raise InputError("Expected 8×8. Received: größe漢\udcff.")

    assert status_of("ae-multi", fail) == 2
    for name, buffer in raw.items():
        getattr(sys, name).flush()
        assert b"8" in buffer.getvalue()


def test_version_option_prints_the_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"ae-multi {ae_multi.__version__}\n"


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (OSError(28, "No space left on device", "out.json"), 1, "No space left on device: out.js"),
        (MemoryError("Unable to allocate 3 TiB"), 1, "out of memory. Unable to allocate 3 TiB"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
    ids=["disk", "memory", "interrupt"],
)
def test_system_errors_give_one_line_and_their_status(error, status, message, capsys, monkeypatch):
    monkeypatch.setattr("ae_multi.cli.interrupts._is_leaving", False)

    def fail():
        raise error

    assert status_of("ae-multi train", fail) == status
    shown = capsys.readouterr().err
    assert shown.startswith(f"ae-multi train: {message}")
    assert len(shown.splitlines()) == 1
