"""Data sets, checks on arrays, and the floors."""

import dataclasses

import numpy as np
import pytest

from ae_multi.baselines import mean_baseline, pca_baselines
from ae_multi.data import Dataset, load_data
from ae_multi.data.checks import check_array
from ae_multi.errors import InputError


def test_the_digits_look_like_mnist(digits):
    assert digits.name == "digits"
    assert "scikit-learn" in digits.source
    assert digits.x_train.shape == (1437, 28, 28, 1)
    assert digits.x_test.shape == (360, 28, 28, 1)
    assert digits.x_train.dtype == np.float32
    assert digits.x_train.min() == 0
    assert digits.x_train.max() == 1
    assert set(digits.y_train) == set(range(10))
    margin = digits.x_train.copy()
    margin[:, 4:-4, 4:-4] = 0
    assert not margin.any()


def test_the_digits_are_the_real_ones(digits):
    from sklearn.datasets import load_digits

    # Averaged back to 8×8, in blocks of 2.5 pixels, an enlarged image is the original, softened.
    small = load_digits().images[:1437] / 16
    box = digits.x_train[:, 4:-4, 4:-4, 0].repeat(2, 1).repeat(2, 2)
    back = box.reshape(-1, 8, 5, 8, 5).mean((2, 4))
    correlation = np.corrcoef(small.ravel(), back.ravel())[0, 1]
    assert correlation > 0.97
    np.testing.assert_array_equal(digits.y_train, load_digits().target[:1437])


def test_a_data_set_is_printed_in_a_line(digits):
    assert repr(digits) == (
        "Dataset(x_train=float32(1437, 28, 28, 1), y_train=int64(1437,), "
        "x_test=float32(360, 28, 28, 1), y_test=int64(360,), name='digits', "
        f"source={digits.source!r})"
    )


def test_the_digest_knows_the_data(digits):
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
def test_a_data_set_that_does_not_fit_is_refused(change, message):
    whole = {
        "x_train": np.zeros((4, 2, 2, 1), np.float32),
        "y_train": np.zeros(4, int),
        "x_test": np.zeros((3, 2, 2, 1), np.float32),
        "y_test": np.zeros(3, int),
    }
    Dataset(**whole, name="mine", source="here")
    with pytest.raises(InputError, match=message):
        Dataset(**{**whole, **change}, name="mine", source="here")


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
        (np.zeros((2, 6)), r"x\.reshape\(-1, 2, 3\) would do"),
        (np.full((2, 2, 3), np.inf), r"finite. Received: inf at index \[0, 0, 0\]"),
        (np.full((2, 2, 3), -0.1), r"within \[0, 1\].*-0.1 at index"),
    ],
    ids=range(10),
)
def test_bad_arrays_are_refused_with_the_place(x, message):
    with pytest.raises(InputError, match=message):
        check_array(x, "x", shape=(2, 3), value_range=(0.0, 1.0))


def test_the_first_bad_value_is_the_one_named():
    x = np.zeros((3, 2))
    x[1, 1], x[2, 0] = np.nan, np.inf
    with pytest.raises(InputError, match=r"nan at index \[1, 1\]"):
        check_array(x, "x")


@pytest.mark.parametrize("values", [1, 7, 12, 1000])
def test_a_bad_value_is_found_wherever_it_is(values, monkeypatch):
    monkeypatch.setattr("ae_multi.data.checks._VALUES_AT_ONCE", values)
    good = np.full((5, 2, 3), 0.5, np.float32)
    assert check_array(good, "x", value_range=(0.5, 0.5)) is good
    for place in np.ndindex(good.shape):
        for value, message in ((np.nan, "nan at"), (-0.1, "from -0.1 to 0.5"), (1.5, "to 1.5")):
            x = good.copy()
            x[place] = value
            for given in (x, np.asfortranarray(x)):
                with pytest.raises(InputError, match=message):
                    check_array(given, "x", value_range=(0.0, 1.0))


def test_good_arrays_come_back_as_float32_without_a_copy():
    x = np.zeros((2, 3), np.float32)
    assert check_array(x, "x") is x
    assert check_array([[1, 2], [3, 4]], "x").dtype == np.float32


def test_pca_equals_the_singular_value_decomposition(digits):
    train = digits.x_train.reshape(-1, 784).astype(np.float64)
    test = digits.x_test.reshape(-1, 784).astype(np.float64)
    mean = train.mean(0)
    _, _, directions = np.linalg.svd(train - mean, full_matrices=False)
    floors = pca_baselines(digits, [32, 9, 9])
    assert list(floors) == [9, 32]
    for size, found in floors.items():
        basis = directions[:size]
        restored = np.clip((test - mean) @ basis.T @ basis + mean, 0, 1)
        assert found == pytest.approx(np.mean((restored - test) ** 2), rel=1e-5)


def test_more_components_than_data_count_as_all(digits):
    few = dataclasses.replace(digits, x_train=digits.x_train[:5], y_train=digits.y_train[:5])
    assert pca_baselines(few, [9])[9] == pytest.approx(pca_baselines(few, [5])[5])


def test_the_mean_image_is_a_floor(digits):
    expected = np.mean((digits.x_test - digits.x_train.mean(0)) ** 2)
    assert mean_baseline(digits) == pytest.approx(expected, rel=1e-5)


def test_the_floors_of_mnist_are_the_known_ones(mnist_folder):
    data = load_data("mnist", mnist_folder)
    floors = pca_baselines(data, [9, 32])
    assert floors[9] == pytest.approx(0.03449, abs=5e-6)
    assert floors[32] == pytest.approx(0.01521, abs=5e-6)
    assert mean_baseline(data) == pytest.approx(0.06747, abs=5e-6)
