"""scikit-learn's handwritten digits in the format of MNIST, available without a download."""

import numpy as np

from ae_multi.data.dataset import Dataset

_TRAIN = 1437  # the first four fifths, in the original order, so that writers are not mixed
_BOX, _MARGIN = 20, 4  # MNIST's digits have a size of 20×20 pixels and a margin of 4


def load_digits() -> Dataset:
    """Load the 1,797 digits of 8×8 pixels from scikit-learn, enlarged to 28×28.

    Alpaydin & Kaynak, "Optical Recognition of Handwritten Digits" (UCI, 1998), test set. The
    images are enlarged by linear interpolation to 20×20 and centred, as MNIST's digits are.

    Returns:
        A `Dataset` of 1,437 training and 360 test images of shape (28, 28, 1).
    """
    from scipy.ndimage import zoom
    from sklearn import datasets

    digits = datasets.load_digits()
    small = digits.images.astype(np.float32) / np.float32(16)
    box = zoom(small, (1, _BOX / 8, _BOX / 8), order=1, grid_mode=True, mode="nearest")
    images = np.zeros((len(box), 28, 28, 1), np.float32)
    images[:, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN, 0] = np.clip(box, 0, 1)
    labels = digits.target.astype(np.int64)
    return Dataset(
        x_train=images[:_TRAIN],
        y_train=labels[:_TRAIN],
        x_test=images[_TRAIN:],
        y_test=labels[_TRAIN:],
        name="digits",
        source="scikit-learn: load_digits(), enlarged from 8×8 to 28×28",
    )
