"""Write the bundled sample of MNIST: ``python -m benchmarks.mnist_sample``.

The command needs the complete MNIST, where `ae_multi.load_data("mnist")` finds it. It selects every
tenth image in the order of classes: 6,000 training and 1,000 test images, stratified by class, in
the order of MNIST.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from ae_multi.data.load import load_data
from ae_multi.data.mnist_sample import FILE, TEST_IMAGES, TRAIN_IMAGES


def main(arguments=None):
    """Write the file; return the exit status."""
    parser = argparse.ArgumentParser(prog="mnist_sample", description=__doc__.partition(":")[0])
    parser.add_argument(
        "--out", type=Path, default=FILE, metavar="FILE", help="file (default: in the package)"
    )
    options = parser.parse_args(arguments)
    data = load_data("mnist")
    train = select(data.y_train, TRAIN_IMAGES)
    test = select(data.y_test, TEST_IMAGES)
    np.savez_compressed(
        options.out,
        x_train=_as_bytes(data.x_train[train]),
        y_train=data.y_train[train].astype(np.uint8),
        x_test=_as_bytes(data.x_test[test]),
        y_test=data.y_test[test].astype(np.uint8),
    )
    print(f"{options.out}: {options.out.stat().st_size:,} bytes")
    return 0


def select(labels: np.ndarray, count: int) -> np.ndarray:
    """Return the ascending indices of ``count`` evenly spaced samples, stratified by class.

    Args:
        labels: integers of shape (n,).
        count: number of samples, a divisor of n.
    """
    by_class = np.argsort(labels, kind="stable")
    return np.sort(by_class[:: len(labels) // count])


def _as_bytes(images):
    """Convert floats in [0, 1] of shape (n, 28, 28, 1) to uint8 of shape (n, 28, 28)."""
    return np.round(images[..., 0] * 255).astype(np.uint8)


if __name__ == "__main__":
    sys.exit(main())
