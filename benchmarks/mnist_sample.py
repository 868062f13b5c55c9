"""Write the sample of MNIST that the package bundles: ``python -m benchmarks.mnist_sample``.

Needs the whole of MNIST, where `ae_multi.load_data("mnist")` finds it. Sorted by class, every tenth
image is taken: 6,000 training and 1,000 test images, each class with its share, in MNIST's order.
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
    parser.add_argument("--out", type=Path, default=FILE, metavar="FILE", help="default: in place")
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


def select(labels, count):
    """Ascending positions of ``count`` evenly spaced samples, each class with its share.

    Args:
        labels: integers of shape (n,).
        count: a divisor of n.
    """
    by_class = np.argsort(labels, kind="stable")
    return np.sort(by_class[:: len(labels) // count])


def _as_bytes(images):
    """Floats in [0, 1] of shape (n, 28, 28, 1) as uint8 of shape (n, 28, 28)."""
    return np.round(images[..., 0] * 255).astype(np.uint8)


if __name__ == "__main__":
    sys.exit(main())
