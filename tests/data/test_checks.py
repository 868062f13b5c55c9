"""Checks of arrays."""

import numpy as np
import pytest

from ae_multi.data.checks import check_array
from ae_multi.errors import InputError


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ("text", "array of numbers. Received: str"),
        ([["a"]], r"array of numbers. Received: a \(str\) in the column 0, row 0"),
        ([[1], [1, 2]], "array of numbers"),
        (np.array([None]), "of object"),
        (3.0, r"at least one sample. Received: shape \(\)"),
        ([], "at least one sample"),
        (np.zeros((2, 5)), r"shape \(n, 2, 3\).*Received: shape \(2, 5\)"),
        (np.zeros((2, 6)), r"x\.reshape\(-1, 2, 3\)\."),
        (np.full((2, 2, 3), np.inf), r"finite. Received: inf at index \[0, 0, 0\]"),
        (np.full((2, 2, 3), -0.1), r"within \[0, 1\].*-0.1 at index"),
    ],
    ids=range(10),
)
def test_invalid_arrays_are_refused_with_the_index(x, message):
    with pytest.raises(InputError, match=message):
        check_array(x, "x", shape=(2, 3), value_range=(0.0, 1.0))


def test_error_names_the_first_invalid_value():
    x = np.zeros((3, 2))
    x[1, 1], x[2, 0] = np.nan, np.inf
    with pytest.raises(InputError, match=r"nan at index \[1, 1\]"):
        check_array(x, "x")


@pytest.mark.parametrize("values", [1, 7, 12, 1000])
def test_invalid_value_is_found_at_any_index(values, monkeypatch):
    monkeypatch.setattr("ae_multi.data.checks._VALUES_AT_ONCE", values)
    good = np.full((5, 2, 3), 0.5, np.float32)
    assert check_array(good, "x", value_range=(0.5, 0.5)) is good
    for index in np.ndindex(good.shape):
        for value, message in ((np.nan, "nan at"), (-0.1, "from -0.1 to 0.5"), (1.5, "to 1.5")):
            x = good.copy()
            x[index] = value
            for ordered in (x, np.asfortranarray(x)):
                with pytest.raises(InputError, match=message):
                    check_array(ordered, "x", value_range=(0.0, 1.0))


def test_valid_float32_arrays_are_not_copied():
    x = np.zeros((2, 3), np.float32)
    assert check_array(x, "x") is x
    assert check_array([[1, 2], [3, 4]], "x").dtype == np.float32
