"""scikit-learn's digits, enlarged to 28×28 pixels."""

import numpy as np


def test_digits_have_the_format_of_mnist(digits):
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


def test_digits_are_those_of_scikit_learn(digits):
    from sklearn.datasets import load_digits

    # The mean of each block of 2.5 × 2.5 pixels is the original 8×8 image, blurred.
    small = load_digits().images[:1437] / 16
    box = digits.x_train[:, 4:-4, 4:-4, 0].repeat(2, 1).repeat(2, 2)
    reduced = box.reshape(-1, 8, 5, 8, 5).mean((2, 4))
    correlation = np.corrcoef(small.ravel(), reduced.ravel())[0, 1]
    assert correlation > 0.97
    np.testing.assert_array_equal(digits.y_train, load_digits().target[:1437])
