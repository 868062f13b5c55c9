"""MATLAB files of ODDS: compared with SciPy, and errors for others."""

import contextlib

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from ae_multi.data.mat import read_mat
from ae_multi.errors import InputError


def odds_arrays(**changes):
    """Return the arrays of a file of ODDS, some of them replaced or added."""
    rows = np.random.default_rng(0).normal(size=(7, 3))
    return {"X": rows, "y": np.arange(7).reshape(-1, 1) % 2, **changes}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int16", "uint8"])
def test_mat_file_is_read_as_by_scipy(tmp_path, packed, dtype):
    path, arrays = tmp_path / "a.mat", odds_arrays()
    arrays["X"] = (10 * arrays["X"]).astype(dtype)
    savemat(path, {**arrays, "names": "text", "z": 1j * arrays["X"]}, do_compression=packed)
    rows, labels = read_mat(path)
    expected = loadmat(path)
    np.testing.assert_array_equal(rows, expected["X"])
    np.testing.assert_array_equal(labels, expected["y"].ravel())
    assert (rows.dtype, labels.dtype.kind) == (np.float64, "i")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X": "text"}, "KeyError: 'X'"),
        ({"X": 1j * np.ones((7, 3))}, "KeyError: 'X'"),
        ({"X": np.ones((6, 3))}, r"X of shape \(6, 3\) and y of shape \(7, 1\)"),
        ({"X": np.full((7, 3), np.nan)}, "not finite"),
        ({"y": np.full((7, 1), 2.0)}, "neither 0 nor 1"),
        ({"X": np.ones((7, 3, 2))}, r"X of shape \(7, 3, 2\)"),
    ],
    ids=["text", "complex", "shape", "nan", "labels", "axes"],
)
def test_unsuitable_mat_file_is_refused(tmp_path, changes, message):
    savemat(tmp_path / "a.mat", odds_arrays(**changes))
    with pytest.raises(InputError, match=message):
        read_mat(tmp_path / "a.mat")


def test_decompression_bomb_in_a_mat_file_is_refused(tmp_path):
    savemat(tmp_path / "a.mat", odds_arrays(X=np.zeros((2**20, 9))), do_compression=True)
    with pytest.raises(InputError, match="far more than the file holds"):
        read_mat(tmp_path / "a.mat")


def test_damaged_mat_files_are_read_or_refused(tmp_path):
    savemat(tmp_path / "a.mat", odds_arrays())
    complete, rng = (tmp_path / "a.mat").read_bytes(), np.random.default_rng(0)
    for _ in range(500):
        content = bytearray(complete[: rng.choice([len(complete), rng.integers(len(complete))])])
        for offset in rng.integers(0, max(len(content), 1), 3):
            content[offset : offset + 1] = bytes([rng.integers(256)])
        (tmp_path / "b.mat").write_bytes(content)
        with contextlib.suppress(InputError):
            rows, labels = read_mat(tmp_path / "b.mat")
            assert len(rows) == len(labels)
