"""Tables in CSV files."""

import pytest

from ae_multi.data.table import load_table
from ae_multi.errors import InputError
from tests.reference.tables import write_csv


@pytest.mark.parametrize(
    ("names", "rows", "message"),
    [
        ("a,b", [[1, 2]], r"one column 'y' and at least one other. Received: a, b\."),
        ("y", [[1]], "at least one other"),
        ("a,y,y", [[1, 0, 0]], "one column 'y'"),
        ("a,y", [], "Received: only column names"),
        ("a,y", [[1, 0], ["x", 1]], r"line 3, column 'a' of .*Received: 'x'\."),
        ("a,y", [["nan", 0]], "finite number in line 2, column 'a' of .*Received: 'nan'"),
        ("a,y", [["", 0]], "finite number in line 2.*Received: ''"),
        ("a,y", [["inf", 0]], "finite number"),
        ("a,y", [[1, 2]], "1 or true for anomalous rows.*line 2, column 'y' of .*Received: '2'"),
        ("a,y", [[1, 0, 3]], "2 values in line 2 of .*Received: 3"),
    ],
)
def test_invalid_table_is_refused(tmp_path, names, rows, message):
    path = write_csv(tmp_path / "t.csv", names.split(","), rows)
    with pytest.raises(InputError, match=message):
        load_table(path, "y")


def test_table_is_read_with_its_label_column(tmp_path):
    table = load_table(
        write_csv(tmp_path / "t.csv", [" b", "y", "a"], [[1, "TRUE", 2], [3, 0, 4]]), "y"
    )
    assert table.x.tolist() == [[1, 2], [3, 4]]
    assert table.anomalous.tolist() == [True, False]
    assert table.columns == ("b", "a")
    with pytest.raises(InputError, match=r"none.csv, which is not a file"):
        load_table(tmp_path / "none.csv", "y")
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(InputError, match="Received: an empty file"):
        load_table(tmp_path / "empty.csv", "y")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="csv file of text"):
        load_table(tmp_path / "bytes.csv", "y")
