"""MNIST: the handwritten digits of LeCun, Cortes and Burges, and the places they may lie."""

import contextlib
import hashlib
import os
import socket
import threading
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np

from ae_multi.data.dataset import Dataset
from ae_multi.data.idx import read_idx, write_idx_header
from ae_multi.data.npz import read_npz
from ae_multi.errors import InputError
from ae_multi.selection import keras_home

VARIABLE = "AE_MULTI_MNIST"

# Array name: (IDX file, shape, SHA-256 of the unzipped IDX file).
PARTS = {
    "x_train": (
        "train-images-idx3-ubyte",
        (60000, 28, 28),
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    "y_train": (
        "train-labels-idx1-ubyte",
        (60000,),
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    "x_test": (
        "t10k-images-idx3-ubyte",
        (10000, 28, 28),
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    "y_test": (
        "t10k-labels-idx1-ubyte",
        (10000,),
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}

# The file that Keras's own data sets fetch, and its SHA-256.
URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
URL_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"

_CONNECT_SECONDS = 3
_STALL_SECONDS = 20


class DownloadError(InputError):
    """MNIST lies nowhere on this machine and could not be fetched."""


def whereabouts(path=None):
    """Where MNIST would be read from: ("path" | "cache" | "download", its place)."""
    named = path or os.environ.get(VARIABLE)
    if named:
        return "path", Path(named)
    cache = keras_home() / "datasets" / "mnist.npz"
    return ("cache", cache) if cache.is_file() else ("download", URL)


def load_mnist(path=None):
    """MNIST as a `Dataset`: 60,000 training and 10,000 test images of shape (28, 28, 1).

    Args:
        path: a folder of the four IDX files, gzipped or not, or an ``mnist.npz``. Left out, the
            environment variable ``AE_MULTI_MNIST``, Keras's cache and a download are tried.

    Raises:
        InputError: files that are not MNIST, to the last bit.
        DownloadError: it lies nowhere and could not be fetched.
    """
    kind, place = whereabouts(path)
    if kind == "path":
        named_by = "the path given" if path else VARIABLE
        return _dataset(_read(place), place, f"files named by {named_by}")
    if kind == "cache":
        try:
            return _dataset(_read(place), place, "Keras's cache")
        except InputError:
            pass  # Keras fetches a damaged file again, as below
    place = _download()
    return _dataset(_read(place), place, f"download from {URL}")


def _read(place):
    if place.is_dir():
        return {name: read_idx(_find(place, part[0]), part[1]) for name, part in PARTS.items()}
    if not place.exists():
        raise InputError(
            "Expected a folder of MNIST's IDX files or an mnist.npz. "
            f"Received: {place}, which does not exist."
        )
    return read_npz(place, {name: part[1] for name, part in PARTS.items()})


def _find(folder, stem):
    for name in (stem, f"{stem}.gz"):
        if (folder / name).is_file():
            return folder / name
    held = ", ".join(sorted(entry.name for entry in folder.iterdir())[:8]) or "nothing"
    raise InputError(f"Expected {stem} or {stem}.gz in {folder}. Received: {held}.")


def _dataset(arrays, place, source):
    for name, (stem, shape, expected) in PARTS.items():
        digest = hashlib.sha256(write_idx_header(shape))
        digest.update(arrays[name].data)
        if digest.hexdigest() != expected:
            raise InputError(
                f"Expected {name} (the contents of {stem}) with SHA-256 {expected}. Received: "
                f"{digest.hexdigest()} from {place}: altered, or not MNIST."
            )
    return dataset_from_bytes(arrays, "mnist", source)


def dataset_from_bytes(arrays, name, source):
    """The `Dataset` of MNIST's arrays as they are stored.

    Args:
        arrays: dict of ``x_train`` and ``x_test``, uint8 of shape (n, 28, 28), and of ``y_train``
            and ``y_test``, uint8 of shape (n,).
        name: its name.
        source: where the arrays come from.
    """
    return Dataset(
        x_train=_scaled(arrays["x_train"]),
        y_train=arrays["y_train"].astype(np.int64),
        x_test=_scaled(arrays["x_test"]),
        y_test=arrays["y_test"].astype(np.int64),
        name=name,
        source=source,
    )


def _scaled(images):
    """Bytes to float32 in [0, 1], with an axis for the one channel."""
    return (images.astype(np.float32) / np.float32(255))[..., np.newaxis]


def _download():
    """Fetch ``mnist.npz`` into Keras's cache by Keras's own loader, or fail within seconds."""
    _check_reachable(URL)
    from ae_multi._keras import keras  # the only way here that needs a framework

    # Where its folder is missing, Keras would take one under /tmp instead; so it does where this
    # one cannot be made.
    with contextlib.suppress(OSError):
        keras_home().mkdir(parents=True, exist_ok=True)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_STALL_SECONDS)
    try:
        return Path(
            keras.utils.get_file(
                "mnist.npz", origin=URL, file_hash=URL_SHA256, cache_dir=str(keras_home())
            )
        )
    except Exception as error:  # Keras raises a bare Exception for a failed download
        raise DownloadError(_at_a_loss(str(error).strip())) from error
    finally:
        socket.setdefaulttimeout(before)


def _check_reachable(url):
    """Raise `DownloadError` within seconds where there is no network.

    A name look-up cannot be given a time limit, so it runs in a thread that is left behind.
    """
    if urllib.request.getproxies():
        return  # the proxy does the looking up, and has its own time limits
    parts = urllib.parse.urlsplit(url)
    address = (parts.hostname, parts.port or {"http": 80, "https": 443}[parts.scheme])
    outcome = ["no answer"]

    def connect():
        try:
            socket.create_connection(address, timeout=_CONNECT_SECONDS).close()
            outcome[0] = None
        except OSError as error:
            outcome[0] = str(error)

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(_CONNECT_SECONDS + 1)
    if outcome[0]:
        raise DownloadError(_at_a_loss(f"{parts.hostname}: {outcome[0]}"))


def _at_a_loss(reason):
    return (
        f"Expected MNIST in a folder or mnist.npz named by {VARIABLE}, in Keras's cache "
        f"({keras_home() / 'datasets' / 'mnist.npz'}), or by download. Received: nothing there, "
        f"and the download failed ({reason})."
    )
