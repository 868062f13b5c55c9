"""A sample of MNIST in the package, available without a network."""

from pathlib import Path

from ae_multi.data.dataset import Dataset
from ae_multi.data.digest import sha256
from ae_multi.data.mnist import dataset_from_bytes
from ae_multi.data.npz import read_npz
from ae_multi.errors import InputError

# Written by benchmarks/mnist_sample.py; mnist_sample.txt states its authors and its license.
FILE = Path(__file__).with_name("mnist_sample.npz")
TRAIN_IMAGES, TEST_IMAGES = 6_000, 1_000

_SHAPES = {
    "x_train": (TRAIN_IMAGES, 28, 28),
    "y_train": (TRAIN_IMAGES,),
    "x_test": (TEST_IMAGES, 28, 28),
    "y_test": (TEST_IMAGES,),
}
# Digest of the arrays, not of the file, whose bytes depend on the compressor.
_SHA256 = "213d09c030dd12598ee3f2cc3863f52f9eaec6e27610ec3fdd152d442c8183b7"


def load_mnist_sample() -> Dataset:
    """Load 6,000 training and 1,000 test images of MNIST, with the class frequencies of MNIST.

    LeCun, Cortes & Burges, "The MNIST database of handwritten digits", CC BY-SA 3.0.

    Returns:
        A `Dataset` with images of shape (28, 28, 1).

    Raises:
        InputError: the file of the installed package is missing or damaged.
    """
    arrays = read_npz(FILE, _SHAPES)
    digest = sha256(arrays.values())
    if digest != _SHA256:
        raise InputError(
            f"Expected the arrays in {FILE} to have SHA-256 {_SHA256}. Received: {digest}. "
            "Install the package again."
        )
    return dataset_from_bytes(arrays, "mnist-sample", "10 % of MNIST, part of ae_multi")
