"""One door to the data sets."""

import logging

from ae_multi.data.digits import load_digits
from ae_multi.data.mnist import DownloadError, load_mnist
from ae_multi.errors import InputError

NAMES = ("auto", "mnist", "digits")

_log = logging.getLogger("ae_multi")


def load_data(name="auto", path=None):
    """Load images in [0, 1] with their labels.

    Args:
        name: "mnist"; "digits", scikit-learn's digits at 28×28, which need no network; or
            "auto": MNIST if it is to be had within seconds, else the digits, with one logged
            line that says so. MNIST that is there but damaged is an error, not a reason to
            take the digits.
        path: where MNIST lies: a folder of IDX files, or an ``mnist.npz``.

    Returns:
        A `Dataset`, whose ``name`` and ``source`` say what it is.

    Raises:
        InputError: an unknown name, a path that does not go with it, or files that are not MNIST.
    """
    if name not in NAMES:
        raise InputError(f"Expected data to be one of {', '.join(NAMES)}. Received: {name!r}.")
    if name == "digits":
        if path is not None:
            raise InputError(f"Expected no path for the embedded digits. Received: {path}.")
        return load_digits()
    try:
        return load_mnist(path)
    except DownloadError as error:
        if name == "mnist":
            raise
        _log.warning("MNIST is not to be had here; using scikit-learn's digits. %s", error)
        return load_digits()
