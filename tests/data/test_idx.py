"""IDX files and the errors for damaged ones."""

import gzip
import struct

import numpy as np
import pytest

from ae_multi.data.idx import read_idx, write_idx_header
from ae_multi.errors import InputError

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 4, 3), np.uint8)
COMPLETE = write_idx_header(IMAGES.shape) + IMAGES.tobytes()


@pytest.fixture
def idx(tmp_path):
    """Return a function that writes bytes to a file and returns its path."""

    def write(data):
        path = tmp_path / "file-ubyte"
        path.write_bytes(data)
        return path

    return write


def test_header_equals_that_of_mnist():
    assert write_idx_header((60000, 28, 28)).hex() == "000008030000ea600000001c0000001c"


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_idx_file_round_trips(idx, pack):
    read = read_idx(idx(pack(COMPLETE)), IMAGES.shape)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, IMAGES)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "begins with nothing"),
        (b"\0\0", "begins with 00 00"),
        (b"PK\3\4" + COMPLETE[4:], "begins with 50 4b 03 04"),
        (b"\0\0\x0d\3" + COMPLETE[4:], "begins with 00 00 0d 03"),
        (b"\0\0\x08\0" + COMPLETE[4:], "begins with 00 00 08 00"),
        (b"\0\0\x08\x41" + bytes(4 * 65), "at most 64 axes"),
        (COMPLETE[:10], "ends within it"),
        (COMPLETE[:-1], "Expected 60 bytes.*Received: 59"),
        (COMPLETE + b"\0", "Expected 60 bytes.*Received: more"),
        (gzip.compress(COMPLETE)[:-9], "damaged or cut short"),
        (gzip.compress(COMPLETE)[:20] + b"\xff" * 30, "damaged or cut short"),
        (b"\x1f\x8bnonsense", "damaged or cut short"),
    ],
    ids=range(12),
)
def test_damaged_idx_file_is_refused(idx, data, message):
    with pytest.raises(InputError, match=message):
        read_idx(idx(data))


def test_labels_in_place_of_images_are_refused(idx):
    labels = write_idx_header((5,)) + bytes(5)
    with pytest.raises(InputError, match=r"shape \(5, 4, 3\).*of shape \(5,\)"):
        read_idx(idx(labels), IMAGES.shape)


def test_header_that_claims_gigabytes_is_refused(idx):
    header = struct.pack(">HBB3I", 0, 8, 3, 2**31, 2**10, 2**10)
    with pytest.raises(InputError, match="Received: 3"):
        read_idx(idx(header + b"abc"))


def test_decompression_bomb_is_refused(idx):
    bomb = gzip.compress(struct.pack(">HBB2I", 0, 8, 2, 2**17, 2**10) + bytes(2**27))
    with pytest.raises(InputError, match="to unpack to at most 67,108,864 bytes"):
        read_idx(idx(bomb))


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="which is not a file"):
        read_idx(tmp_path / "nowhere")
