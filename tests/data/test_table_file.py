"""`read_table`: CSV of any separator and encoding, Parquet and .npy, and faults in them."""

import gzip
import io
import sys

import numpy as np
import pandas as pd
import pytest

from ae_multi.data.table_file import read_parts, read_table
from ae_multi.errors import InputError

TEXT = "id,städte,wert\n1,Köln,2.5\n2,,NA\n3,'a b',-1e3\n"
ROWS = [["1", "Köln", "2.5"], ["2", None, None], ["3", "'a b'", "-1e3"]]


def written(tmp_path, content, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def assert_rows(part):
    assert part.frame.columns.tolist() == ["id", "städte", "wert"]
    assert part.frame.to_numpy().tolist() == ROWS


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separator_is_that_of_the_first_line(separator, tmp_path):
    text = TEXT.replace(",", separator)
    assert_rows(read_table(written(tmp_path, text.encode())))
    other = TEXT.replace(",", ":").encode()
    assert_rows(read_table(written(tmp_path, other), separator=":"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encoding_is_recognized(encoding, tmp_path, caplog):
    assert_rows(read_table(written(tmp_path, TEXT.encode(encoding))))
    assert ["Windows-1252" in r.getMessage() for r in caplog.records] == [True] * (
        encoding == "cp1252"
    )
    part = read_table(written(tmp_path, TEXT.encode("cp850")), encoding="cp850")
    assert_rows(part)


@pytest.mark.parametrize("newline", ["\r\n", "\n\n"])
def test_ends_of_lines_and_empty_lines(newline, tmp_path):
    part = read_table(written(tmp_path, TEXT.rstrip().replace("\n", newline).encode()))
    assert_rows(part)
    assert part.place(2) == ("line 4" if newline == "\r\n" else "line 7")


def test_decimal_comma(tmp_path):
    path = written(tmp_path, b"a;b\n1,5;x,y\n-1.234,5e2;3\n1.234;\n")
    part = read_table(path, decimal=",")
    assert part.frame.to_numpy().tolist() == [["1.5", "x,y"], ["-1234.5e2", "3"], ["1234", None]]


def test_gzip_and_streams(tmp_path):
    assert_rows(read_table(written(tmp_path, gzip.compress(TEXT.encode()), "t.csv.gz")))
    assert_rows(read_table(io.BytesIO(TEXT.encode())))


def test_quoted_values_hold_separators_and_lines(tmp_path):
    part = read_table(written(tmp_path, b'a,b\n"x, y\nz",1\n"say ""hi""",2\n'))
    assert part.frame["a"].tolist() == ["x, y\nz", 'say "hi"']
    assert part.place(1) == "line 4"


def test_parquet_and_npy(tmp_path):
    frame = pd.DataFrame({"a": [1.5, None], "t": pd.to_datetime(["2026-01-01", None])})
    frame.to_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.parquet").frame, frame)
    np.save(tmp_path / "t.npy", np.arange(6.0).reshape(3, 2))
    part = read_table(tmp_path / "t.npy")
    assert part.frame.columns.tolist() == ["x0", "x1"]
    assert part.place(1) == "row 2"


def test_parts_of_files_and_streams():
    content = b"a,b\n" + b"1,2\n" * 25
    parts = list(read_parts(io.BytesIO(content), most=10))
    assert [(len(part.frame), part.first_row) for part in parts] == [(10, 0), (10, 10), (5, 20)]
    assert parts[2].lines == [22, 23, 24, 25, 26]


def test_rows_of_a_stream_are_returned_as_they_arrive():
    class Stream:
        """Stream of blocks, of which each arrives alone."""

        blocks = iter([b"a,", b"b\n1,2\n3", b",4\n", b"5,6\n7,8\n\n", b"9,", b"10", b""])

        def read1(self, size):
            return next(self.blocks)

    rows = [part.frame.to_numpy().tolist() for part in read_parts(Stream())]
    assert rows == [[["1", "2"]], [["3", "4"]], [["5", "6"], ["7", "8"]], [["9", "10"]]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n1\n", r"2 values in line 3 of .*t\.csv, one for each column\. Received: 1"),
        (b"a,b\n1,2,3\n", r"2 values in line 2 of .*Received: 3"),
        (b"a,a\n1,2\n", r"different column names\. Received: 'a' twice"),
        (b"", "Received: an empty file"),
        (b"a,b\n", r"Expected rows in .*t\.csv\. Received: none"),
        (b'a,b\n"1,2\n', "unexpected end of data, in line 2"),
        (b"a,b\n1,\x81\n", "by --encoding"),
    ],
    ids=["short", "long", "names", "empty", "rows", "quote", "encoding"],
)
def test_faults_of_csv_are_refused(content, message, tmp_path):
    with pytest.raises(InputError, match=message):
        read_table(written(tmp_path, content))


def test_other_faults_are_refused(tmp_path):
    with pytest.raises(InputError, match="which is not a file"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(InputError, match="damaged or cut short"):
        read_table(written(tmp_path, gzip.compress(TEXT.encode())[:-9], "t.csv.gz"))
    with pytest.raises(InputError, match="Expected a Parquet file"):
        read_table(written(tmp_path, b"PAR1", "t.parquet"))
    np.save(tmp_path / "t.npy", np.zeros(3))
    with pytest.raises(InputError, match=r"shape \(rows, columns\)"):
        read_table(tmp_path / "t.npy")
    path = written(tmp_path, b"a,b\n1,2\n")
    with pytest.raises(InputError, match=r"separator of one character\. Received: '::'"):
        read_table(path, separator="::")
    with pytest.raises(InputError, match=r"name of an encoding.*Received: 'utf-9'"):
        read_table(path, encoding="utf-9")


@pytest.mark.parametrize(("name", "package"), [("t.csv", "pandas"), ("t.parquet", "pyarrow")])
def test_missing_package_is_named(name, package, tmp_path, monkeypatch):
    path = tmp_path / name
    frame = pd.DataFrame({"a": [1]})
    frame.to_parquet(path) if package == "pyarrow" else frame.to_csv(path)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"Expected {package}.*Install it with: pip install"):
        read_table(path)


def test_decimal_points_in_a_table_of_decimal_commas_are_warned_about(tmp_path, caplog):
    path = tmp_path / "x.csv"
    path.write_text("a;b\n1.234;2,5\n-0.125;0,5\n7.25;1\n")
    frame = read_table(path, decimal=",").frame
    assert frame["a"].tolist() == ["1234", "-0.125", "7.25"]
    (message,) = caplog.messages
    assert message.startswith("Received -0.125 with a decimal point in the column 'a', line 3 of")
    caplog.clear()
    path.write_text("a;b\n1.234;2,5\n-1.234.567,5;2026-01-31\n")
    assert read_table(path, decimal=",").frame["a"].tolist() == ["1234", "-1234567.5"]
    assert not caplog.messages
