"""NPZ files of a data set and the errors for damaged ones."""

import io
import pickle
import zipfile

import numpy as np
import pytest

from ae_multi.data.npz import read_npz
from ae_multi.errors import InputError

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 4, 3), np.uint8)


def npz(path, **entries):
    """Write an .npz whose entries are arrays or bytes; return its path."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, entry in entries.items():
            if not isinstance(entry, bytes):
                file = io.BytesIO()
                np.save(file, entry, allow_pickle=True)
                entry = file.getvalue()
            archive.writestr(f"{name}.npy", entry)
    return path


def test_npz_file_is_read(tmp_path):
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
def test_npz_with_other_arrays_is_refused(tmp_path, entry, message):
    with pytest.raises(InputError, match=message):
        read_npz(npz(tmp_path / "a.npz", x=entry), {"x": (5, 4, 3)})


def test_pickle_in_an_npz_is_not_executed(tmp_path):
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


def test_error_for_a_missing_array_lists_the_existing_ones(tmp_path):
    with pytest.raises(InputError, match=r"the array 'x'\. Received: a, b"):
        read_npz(npz(tmp_path / "a.npz", a=IMAGES, b=IMAGES), {"x": (5, 4, 3)})


@pytest.mark.parametrize("end", [0, 30, -30])
def test_truncated_npz_is_refused(tmp_path, end):
    path = npz(tmp_path / "a.npz", x=IMAGES)
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(InputError, match="damaged or cut short"):
        read_npz(path, {"x": (5, 4, 3)})


def test_npz_with_altered_bytes_is_refused(tmp_path):
    path = npz(tmp_path / "a.npz", x=IMAGES)
    data = bytearray(path.read_bytes())
    data[data.find(IMAGES.tobytes()) + 7] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="damaged or cut short"):
        read_npz(path, {"x": (5, 4, 3)})
