"""Atomic writes of files."""

import pytest

from ae_multi.errors import InputError
from ae_multi.io.atomic import atomic_write, check_writable


def test_file_is_replaced_at_the_end_of_the_block(tmp_path):
    path = tmp_path / "result.json"
    path.write_text("old")
    with atomic_write(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.suffix == ".json"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_old_file_is_unchanged_when_the_block_fails(tmp_path, error):
    path = tmp_path / "result.json"
    path.write_text("old")

    def write_half():
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_check_of_a_writable_path_leaves_no_file(tmp_path):
    assert check_writable(tmp_path / "a.png", "the figure") == tmp_path / "a.png"
    assert not list(tmp_path.iterdir())


def test_folder_is_refused_as_a_file(tmp_path):
    with pytest.raises(InputError, match="a file name for the figure"):
        check_writable(tmp_path, "the figure")


def test_path_in_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="nowhere is not a folder"):
        check_writable(tmp_path / "nowhere" / "a.png", "the figure")


def test_unwritable_path_is_refused():
    with pytest.raises(InputError, match="cannot be written"):
        check_writable("/proc/ae_multi.json", "the JSON")
