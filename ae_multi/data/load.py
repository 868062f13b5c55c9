"""Load a data set by name."""

import logging
from os import PathLike

from ae_multi.data.dataset import Dataset
from ae_multi.data.digits import load_digits
from ae_multi.data.mnist import DownloadError, load_mnist
from ae_multi.data.mnist_sample import load_mnist_sample
from ae_multi.errors import InputError

_BUNDLED = {"mnist-sample": load_mnist_sample, "digits": load_digits}
NAMES = ("auto", "mnist", *_BUNDLED)

_log = logging.getLogger("ae_multi")


def load_data(name: str = "auto", path: PathLike[str] | str | None = None) -> Dataset:
    """Load images in [0, 1] with their labels.

    Args:
        name: "mnist"; "mnist-sample", the 6,000 training and 1,000 test images of MNIST in the
            package; "digits", scikit-learn's digits at 28×28; or "auto": MNIST if it is available
            within seconds, otherwise its sample, with a logged warning. Damaged files of MNIST
            are an error for "auto", too.
        path: location of MNIST: a folder of IDX files, or an ``mnist.npz``.

    Returns:
        A `Dataset`; its ``name`` and ``source`` state which one was loaded.

    Raises:
        InputError: an unknown name, a path for a data set without files, or files that are not
            MNIST.
    """
    if name not in NAMES:
        raise InputError(f"Expected data to be one of {', '.join(NAMES)}. Received: {name!r}.")
    if name in _BUNDLED:
        if path is not None:
            raise InputError(
                f"Expected no path for {name!r}, which needs no files. Received: {path}."
            )
        return _BUNDLED[name]()
    try:
        return load_mnist(path)
    except DownloadError as error:
        if name == "mnist":
            raise
        _log.warning("MNIST is not available here; using the bundled sample of it. %s", error)
        return load_mnist_sample()
