"""A set of images with a name and an origin."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ae_multi.data.checks import check_array
from ae_multi.data.digest import sha256
from ae_multi.errors import InputError

_ARRAYS = ("x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True, repr=False)
class Dataset:
    """Training and test images with their labels and their source.

    Attributes:
        x_train: float32 in [0, 1], shape (n_train, height, width, channels).
        y_train: int64 labels, shape (n_train,).
        x_test: float32 in [0, 1], shape (n_test, height, width, channels).
        y_test: int64 labels, shape (n_test,).
        name: name of the data set, such as "mnist", "mnist-sample" or "digits"; results state it.
        source: description of where the data came from.

    Raises:
        InputError: no images, values outside [0, 1], NaN, or labels of a wrong shape or dtype.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    name: str
    source: str

    def __post_init__(self):
        for part in ("train", "test"):
            images, labels = getattr(self, f"x_{part}"), getattr(self, f"y_{part}")
            where = f"x_{part} of the data set {self.name!r}"
            check_array(images, where, shape=self.image_shape, value_range=(0.0, 1.0))
            if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
                raise InputError(
                    f"Expected y_{part} of the data set {self.name!r} to be {len(images)} "
                    f"integers. Received: shape {labels.shape} of {labels.dtype}."
                )

    def __repr__(self):
        parts = (f"{name}={_brief(getattr(self, name))}" for name in _ARRAYS)
        return f"Dataset({', '.join(parts)}, name={self.name!r}, source={self.source!r})"

    def first(self, count: int | None) -> "Dataset":
        """Return the first ``count`` training and test images; all if it is None."""
        if count is None:
            return self
        return Dataset(
            **{name: getattr(self, name)[:count] for name in _ARRAYS},
            name=self.name,
            source=f"{self.source}; the first {count:,} training and test images",
        )

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image, (28, 28, 1) for MNIST."""
        return self.x_train.shape[1:]

    @cached_property
    def sha256(self) -> str:
        """Digest of all four arrays, equal if and only if the arrays are equal."""
        return sha256((self.x_train, self.y_train, self.x_test, self.y_test))


def _brief(array: np.ndarray) -> str:
    """Return the dtype and shape of an array, such as float32(60000, 28, 28, 1)."""
    return f"{array.dtype}{array.shape}"
