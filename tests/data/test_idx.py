"""IDX and NPZ files: read strictly, refused clearly."""

import contextlib
import gzip
import io
import pickle
import struct
import zipfile

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from ae_multi.data.idx import read_idx, write_idx_header
from ae_multi.data.mat import read_mat
from ae_multi.data.npz import read_npz
from ae_multi.errors import InputError

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 4, 3), np.uint8)
WHOLE = write_idx_header(IMAGES.shape) + IMAGES.tobytes()


@pytest.fixture
def idx(tmp_path):
    """A function that writes bytes to a file and returns its path."""

    def write(data):
        path = tmp_path / "file-ubyte"
        path.write_bytes(data)
        return path

    return write


def test_the_header_is_the_published_one():
    assert write_idx_header((60000, 28, 28)).hex() == "000008030000ea600000001c0000001c"


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_what_was_written_is_read(idx, pack):
    read = read_idx(idx(pack(WHOLE)), IMAGES.shape)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, IMAGES)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "begins with nothing"),
        (b"\0\0", "begins with 00 00"),
        (b"PK\3\4" + WHOLE[4:], "begins with 50 4b 03 04"),
        (b"\0\0\x0d\3" + WHOLE[4:], "begins with 00 00 0d 03"),
        (b"\0\0\x08\0" + WHOLE[4:], "begins with 00 00 08 00"),
        (b"\0\0\x08\x41" + bytes(4 * 65), "at most 64 axes"),
        (WHOLE[:10], "ends within it"),
        (WHOLE[:-1], "Expected 60 bytes.*Received: 59"),
        (WHOLE + b"\0", "Expected 60 bytes.*Received: more"),
        (gzip.compress(WHOLE)[:-9], "damaged or cut short"),
        (gzip.compress(WHOLE)[:20] + b"\xff" * 30, "damaged or cut short"),
        (b"\x1f\x8bnonsense", "damaged or cut short"),
    ],
    ids=range(12),
)
def test_a_damaged_idx_file_is_refused(idx, data, message):
    with pytest.raises(InputError, match=message):
        read_idx(idx(data))


def test_labels_in_place_of_images_are_refused(idx):
    labels = write_idx_header((5,)) + bytes(5)
    with pytest.raises(InputError, match=r"shape \(5, 4, 3\).*of shape \(5,\)"):
        read_idx(idx(labels), IMAGES.shape)


def test_a_header_that_claims_gigabytes_takes_no_memory(idx):
    claim = struct.pack(">HBB3I", 0, 8, 3, 2**31, 2**10, 2**10)
    with pytest.raises(InputError, match="Received: 3"):
        read_idx(idx(claim + b"abc"))


def test_a_bomb_is_refused(idx):
    bomb = gzip.compress(struct.pack(">HBB2I", 0, 8, 2, 2**17, 2**10) + bytes(2**27))
    with pytest.raises(InputError, match="to unpack to at most 67,108,864 bytes"):
        read_idx(idx(bomb))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="which is no file"):
        read_idx(tmp_path / "nowhere")


def npz(path, **entries):
    """An .npz whose entries are arrays or raw bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, entry in entries.items():
            if not isinstance(entry, bytes):
                file = io.BytesIO()
                np.save(file, entry, allow_pickle=True)
                entry = file.getvalue()
            archive.writestr(f"{name}.npy", entry)
    return path


def test_an_npz_is_read(tmp_path):
    path = npz(tmp_path / "a.npz", x=IMAGES, y=IMAGES[0])
    read = read_npz(path, {"x": (5, 4, 3), "y": (4, 3)})
    np.testing.assert_array_equal(read["x"], IMAGES)
    np.testing.assert_array_equal(read["y"], IMAGES[0])


def huge_header():
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|u1", "fortran_order": False, "shape": (2**40,)}
    )
    return file.getvalue()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (IMAGES[:4], r"Received: shape \(4, 4, 3\) of uint8"),
        (IMAGES.astype(np.float32), "of float32"),
        (np.asfortranarray(IMAGES), "Fortran"),
        (np.array([IMAGES, None], object), "pickled Python objects"),
        (huge_header(), r"shape \(1099511627776,\)"),
        (b"not an array", "an array in NumPy's format"),
    ],
    ids=["shape", "type", "order", "pickle", "huge", "garbled"],
)
def test_a_wrong_npz_is_refused(tmp_path, entry, message):
    with pytest.raises(InputError, match=message):
        read_npz(npz(tmp_path / "a.npz", x=entry), {"x": (5, 4, 3)})


def test_a_pickle_in_an_npz_never_runs(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|O", "fortran_order": False, "shape": (5, 4, 3)}
    )
    path = npz(tmp_path / "a.npz", x=header.getvalue() + pickle.dumps(Bomb()))
    with pytest.raises(InputError, match="never loaded"):
        read_npz(path, {"x": (5, 4, 3)})
    assert not (tmp_path / "ran").exists()


def test_a_missing_array_is_named_with_those_held(tmp_path):
    with pytest.raises(InputError, match=r"the array 'x'\. Received: a, b"):
        read_npz(npz(tmp_path / "a.npz", a=IMAGES, b=IMAGES), {"x": (5, 4, 3)})


@pytest.mark.parametrize("keep", [0, 30, -30])
def test_a_truncated_npz_is_refused(tmp_path, keep):
    path = npz(tmp_path / "a.npz", x=IMAGES)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="damaged or cut short"):
        read_npz(path, {"x": (5, 4, 3)})


def test_an_npz_with_altered_bytes_is_refused(tmp_path):
    path = npz(tmp_path / "a.npz", x=IMAGES)
    data = bytearray(path.read_bytes())
    data[data.find(IMAGES.tobytes()) + 7] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="damaged or cut short"):
        read_npz(path, {"x": (5, 4, 3)})


def table(**more):
    """What a file of ODDS holds."""
    rows = np.random.default_rng(0).normal(size=(7, 3))
    return {"X": rows, "y": np.arange(7).reshape(-1, 1) % 2, **more}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", ["float64", "float32", "int16", "uint8"])
def test_a_mat_file_is_read_as_scipy_reads_it(tmp_path, packed, kind):
    path, held = tmp_path / "a.mat", table()
    held["X"] = (10 * held["X"]).astype(kind)
    savemat(path, {**held, "names": "text", "z": 1j * held["X"]}, do_compression=packed)
    rows, marks = read_mat(path)
    again = loadmat(path)
    np.testing.assert_array_equal(rows, again["X"])
    np.testing.assert_array_equal(marks, again["y"].ravel())
    assert (rows.dtype, marks.dtype.kind) == (np.float64, "i")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"X": "text"}, "KeyError: 'X'"),
        ({"X": 1j * np.ones((7, 3))}, "KeyError: 'X'"),
        ({"X": np.ones((6, 3))}, r"X of shape \(6, 3\) and y of shape \(7, 1\)"),
        ({"X": np.full((7, 3), np.nan)}, "not finite"),
        ({"y": np.full((7, 1), 2.0)}, "neither 0 nor 1"),
        ({"X": np.ones((7, 3, 2))}, r"X of shape \(7, 3, 2\)"),
    ],
    ids=["text", "complex", "shape", "nan", "marks", "axes"],
)
def test_another_mat_file_is_refused(tmp_path, more, message):
    savemat(tmp_path / "a.mat", table(**more))
    with pytest.raises(InputError, match=message):
        read_mat(tmp_path / "a.mat")


def test_a_mat_file_that_unpacks_to_far_more_is_refused(tmp_path):
    savemat(tmp_path / "a.mat", table(X=np.zeros((2**20, 9))), do_compression=True)
    with pytest.raises(InputError, match="far more than the file holds"):
        read_mat(tmp_path / "a.mat")


def test_no_damage_to_a_mat_file_does_more_than_refuse_it(tmp_path):
    savemat(tmp_path / "a.mat", table())
    whole, rng = (tmp_path / "a.mat").read_bytes(), np.random.default_rng(0)
    for _ in range(500):
        content = bytearray(whole[: rng.choice([len(whole), rng.integers(len(whole))])])
        for place in rng.integers(0, max(len(content), 1), 3):
            content[place : place + 1] = bytes([rng.integers(256)])
        (tmp_path / "b.mat").write_bytes(content)
        with contextlib.suppress(InputError):
            rows, marks = read_mat(tmp_path / "b.mat")
            assert len(rows) == len(marks)
