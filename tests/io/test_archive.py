"""Archives of a manifest and parts."""

import numpy as np
import pytest

from ae_multi.errors import InputError
from ae_multi.io.archive import ArchiveFormat
from ae_multi.io.serialization import PartsReader, PartsWriter

BOX = ArchiveFormat("a box", format=2)


def test_archive_round_trips(tmp_path):
    writer = PartsWriter()
    held = {"of": (1, None, float("inf")), "array": np.arange(3.0), "names": [np.float64(0.5)]}
    plain = writer.plain(held, "held")
    BOX.write(tmp_path / "one.box", {"held": plain}, writer.parts)
    manifest, parts = BOX.read(tmp_path / "one.box")
    back = PartsReader(parts).value(manifest["held"])
    np.testing.assert_array_equal(back.pop("array"), held.pop("array"))
    assert back == held
    assert manifest["format"] == 2


def test_file_of_another_format_is_refused(tmp_path):
    BOX.write(tmp_path / "one.box", {}, {})
    with pytest.raises(InputError, match=r"file of a tin\. Received: one .* 'ae_multi box'"):
        ArchiveFormat("a tin", format=2).read(tmp_path / "one.box")
    with pytest.raises(InputError, match=r"format 1 or older\. Received: .* of format 2"):
        ArchiveFormat("a box", format=1).read(tmp_path / "one.box")
