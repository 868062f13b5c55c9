"""Data sets: shapes, digests and errors."""

import dataclasses

import numpy as np
import pytest

from ae_multi.data import Dataset, load_data
from ae_multi.errors import InputError


def test_repr_is_one_line(digits):
    assert repr(digits) == (
        "Dataset(x_train=float32(1437, 28, 28, 1), y_train=int64(1437,), "
        "x_test=float32(360, 28, 28, 1), y_test=int64(360,), name='digits', "
        f"source={digits.source!r})"
    )


def test_digest_changes_with_the_data(digits):
    again = load_data("digits")
    assert again.sha256 == digits.sha256
    changed = digits.x_test.copy()
    changed[0, 14, 14, 0] = np.nextafter(changed[0, 14, 14, 0], np.float32(0.5))
    assert dataclasses.replace(digits, x_test=changed).sha256 != digits.sha256


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x_train": np.full((4, 2, 2, 1), np.nan, np.float32)}, "x_train .* finite.*nan at index"),
        ({"x_train": np.full((4, 2, 2, 1), 255.0)}, "Divide by 255 first"),
        ({"x_test": np.zeros((0, 2, 2, 1))}, "at least one sample"),
        ({"x_test": np.zeros((3, 2, 3, 1))}, r"x_test .*shape \(n, 2, 2, 1\)"),
        ({"y_train": np.zeros(3, int)}, "y_train .* 4 integers"),
        ({"y_test": np.zeros(3)}, "3 integers.*float64"),
    ],
    ids=["nan", "bytes", "empty", "shape", "count", "type"],
)
def test_inconsistent_data_set_is_refused(change, message):
    arrays = {
        "x_train": np.zeros((4, 2, 2, 1), np.float32),
        "y_train": np.zeros(4, int),
        "x_test": np.zeros((3, 2, 2, 1), np.float32),
        "y_test": np.zeros(3, int),
    }
    Dataset(**arrays, name="mine", source="here")
    with pytest.raises(InputError, match=message):
        Dataset(**{**arrays, **change}, name="mine", source="here")
