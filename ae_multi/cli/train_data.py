"""Data of ``ae-multi train``: a data set by name, or samples on disk."""

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ae_multi.data import Dataset, load_data
from ae_multi.data.array_sources import SlicedSource
from ae_multi.data.load import NAMES
from ae_multi.data.open_source import source
from ae_multi.errors import InputError

# The last tenth of the samples on disk, at most so many, are for testing.
_TEST_SHARE, _MAX_TEST = 0.1, 1000
# Training samples that the baselines are fitted to.
_MAX_BASELINE = 10_000


def load_training_data(
    name: str, path: PathLike[str] | str | None, samples: int | None, model: str
) -> tuple[Dataset, Any]:
    """Load the data of a training.

    Args:
        name: name of a data set, or a file or folder that `ae_multi.source` opens.
        path: location of MNIST, or None.
        samples: number of training samples and largest number of test samples, the first ones;
            None for all.
        model: name of the model.

    Returns:
        (`Dataset`, training samples). For samples on disk the second is a source, and the data set
        has some of its samples for the baselines.

    Raises:
        InputError: neither a data set nor a file, too few samples, values outside [0, 1], or a
            model that needs the images of digits.
    """
    if name in NAMES:
        data = load_data(name, path).first(samples)
        return data, data.x_train
    if not Path(name).exists():
        raise InputError(
            f"Expected --data to be one of {', '.join(NAMES)}, or a file or folder of samples. "
            f"Received: {name}, which does not exist."
        )
    if model == "segmentation":
        raise InputError(
            f"Expected --data to be one of {', '.join(NAMES)} with --model segmentation, which is "
            f"trained on digits. Received: {name}."
        )
    opened = source(name)
    if opened.dtype == np.uint8:
        opened = opened.map(_scaled)
    count = min(max(int(_TEST_SHARE * len(opened)), 1), _MAX_TEST)
    if len(opened) < 2 * count + 1:
        raise InputError(f"Expected at least 3 samples in {name}. Received: {len(opened)}.")
    train = SlicedSource(opened, 0, min(len(opened) - count, samples or len(opened)))
    test = opened[len(opened) - count :][:samples]
    chosen = np.linspace(0, len(train) - 1, min(len(train), _MAX_BASELINE)).astype(np.int64)
    known = train[chosen]
    data = Dataset(
        x_train=known.astype(np.float32),
        y_train=np.zeros(len(known), np.int64),
        x_test=test.astype(np.float32),
        y_test=np.zeros(len(test), np.int64),
        name=Path(name).name,
        source=f"{name}, {len(opened):,} samples; the last {count:,} are for testing",
    )
    return data, train


def _scaled(x: np.ndarray) -> np.ndarray:
    return np.multiply(x, np.float32(1 / 255), dtype=np.float32)
