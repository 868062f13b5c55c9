"""Archives of a JSON manifest and arrays."""

import numpy as np
import pytest

from ae_multi.errors import InputError
from ae_multi.io.archive import ArchiveFormat
from ae_multi.io.serialization import PartsReader, PartsWriter

BOX = ArchiveFormat("a box", format=2)


def test_archive_round_trips(tmp_path):
    writer = PartsWriter()
    values = {"of": (1, None, float("inf")), "array": np.arange(3.0), "names": [np.float64(0.5)]}
    plain = writer.plain(values, "values")
    BOX.write(tmp_path / "one.box", {"values": plain}, writer.parts)
    manifest, parts = BOX.read(tmp_path / "one.box")
    read = PartsReader(parts).value(manifest["values"])
    np.testing.assert_array_equal(read.pop("array"), values.pop("array"))
    assert read == values
    assert manifest["format"] == 2


def test_file_of_another_format_is_refused(tmp_path):
    BOX.write(tmp_path / "one.box", {}, {})
    with pytest.raises(InputError, match=r"file of a tin\. Received: one .* 'ae_multi box'"):
        ArchiveFormat("a tin", format=2).read(tmp_path / "one.box")
    with pytest.raises(InputError, match=r"format 1 or older\. Received: .* of format 2"):
        ArchiveFormat("a box", format=1).read(tmp_path / "one.box")
