"""MNIST, the handwritten digits of LeCun, Cortes and Burges, from files, Keras's cache or a URL."""

import contextlib
import hashlib
import os
import socket
import threading
import urllib.parse
import urllib.request
from collections.abc import Mapping
from os import PathLike
from pathlib import Path

import numpy as np

from ae_multi.backend_selection import keras_home
from ae_multi.data.dataset import Dataset
from ae_multi.data.idx import read_idx, write_idx_header
from ae_multi.data.npz import read_npz
from ae_multi.errors import InputError

VARIABLE = "AE_MULTI_MNIST"

# Array name: (IDX file, shape, SHA-256 of the decompressed IDX file).
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

# The file that `keras.datasets.mnist` downloads, and its SHA-256.
URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
URL_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"

_CONNECT_SECONDS = 3
_STALL_SECONDS = 20


class DownloadError(InputError):
    """MNIST is not on this machine and could not be downloaded."""


def whereabouts(path: PathLike[str] | str | None = None) -> tuple[str, Path | str]:
    """Return where `load_mnist` reads MNIST from, without reading it.

    Args:
        path: as in `load_mnist`.

    Returns:
        ("path" or "cache", `Path`), or ("download", URL).
    """
    named = path or os.environ.get(VARIABLE)
    if named:
        return "path", Path(named)
    cache = keras_home() / "datasets" / "mnist.npz"
    return ("cache", cache) if cache.is_file() else ("download", URL)


def load_mnist(path: PathLike[str] | str | None = None) -> Dataset:
    """Load MNIST: 60,000 training and 10,000 test images of shape (28, 28, 1).

    Args:
        path: a folder of the four IDX files, gzipped or not, or an ``mnist.npz``. With None, the
            environment variable ``AE_MULTI_MNIST``, Keras's cache and a download are tried in this
            order.

    Returns:
        A `Dataset` with the name "mnist".

    Raises:
        InputError: files that differ from MNIST in any bit.
        DownloadError: MNIST is not on this machine and could not be downloaded.
    """
    kind, location = whereabouts(path)
    if kind == "path":
        named_by = "the path given" if path else VARIABLE
        return _dataset(_read(Path(location)), location, f"files named by {named_by}")
    if kind == "cache":
        try:
            return _dataset(_read(Path(location)), location, "Keras's cache")
        except InputError:
            pass  # Keras replaces a damaged file by the download below
    location = _download()
    return _dataset(_read(location), location, f"download from {URL}")


def _read(path: Path) -> dict[str, np.ndarray]:
    """Read the four arrays from a folder of IDX files or from an ``mnist.npz``."""
    if path.is_dir():
        return {name: read_idx(_find(path, part[0]), part[1]) for name, part in PARTS.items()}
    if not path.exists():
        raise InputError(
            "Expected a folder of MNIST's IDX files or an mnist.npz. "
            f"Received: {path}, which does not exist."
        )
    return read_npz(path, {name: part[1] for name, part in PARTS.items()})


def _find(folder: Path, stem: str) -> Path:
    """Return the path of an IDX file, gzipped or not."""
    for name in (stem, f"{stem}.gz"):
        if (folder / name).is_file():
            return folder / name
    names = ", ".join(sorted(entry.name for entry in folder.iterdir())[:8]) or "nothing"
    raise InputError(f"Expected {stem} or {stem}.gz in {folder}. Received: {names}.")


def _dataset(arrays: dict[str, np.ndarray], location: Path | str, source: str) -> Dataset:
    """Check the digests of the arrays and convert them."""
    for name, (stem, shape, expected) in PARTS.items():
        digest = hashlib.sha256(write_idx_header(shape))
        digest.update(arrays[name].data)
        if digest.hexdigest() != expected:
            raise InputError(
                f"Expected {name} (the contents of {stem}) with SHA-256 {expected}. Received: "
                f"{digest.hexdigest()} from {location}: altered, or not MNIST."
            )
    return dataset_from_bytes(arrays, "mnist", source)


def dataset_from_bytes(arrays: Mapping[str, np.ndarray], name: str, source: str) -> Dataset:
    """Convert MNIST's arrays from the form in which they are stored.

    Args:
        arrays: dict of ``x_train`` and ``x_test``, uint8 of shape (n, 28, 28), and of ``y_train``
            and ``y_test``, uint8 of shape (n,).
        name: name of the data set.
        source: description of where the arrays come from.
    """
    return Dataset(
        x_train=_scaled(arrays["x_train"]),
        y_train=arrays["y_train"].astype(np.int64),
        x_test=_scaled(arrays["x_test"]),
        y_test=arrays["y_test"].astype(np.int64),
        name=name,
        source=source,
    )


def _scaled(images: np.ndarray) -> np.ndarray:
    """Convert bytes to float32 in [0, 1], with an axis for the channel."""
    return (images.astype(np.float32) / np.float32(255))[..., np.newaxis]


def _download() -> Path:
    """Download ``mnist.npz`` to Keras's cache by `keras.utils.get_file`; return its path.

    Raises:
        DownloadError: no connection within seconds, or a failed download.
    """
    _check_reachable(URL)
    from ae_multi._keras import keras  # imports a framework, so only here

    # Without this folder Keras uses one under /tmp, as it does if the folder cannot be created.
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
        raise DownloadError(_message(str(error).strip())) from error
    finally:
        socket.setdefaulttimeout(before)


def _check_reachable(url: str) -> None:
    """Raise `DownloadError` within seconds if there is no network.

    A name lookup has no time limit, so it runs in a daemon thread that may outlive this call.
    """
    if urllib.request.getproxies():
        return  # the proxy looks up the name and has its own time limits
    parts = urllib.parse.urlsplit(url)
    address = (parts.hostname, parts.port or {"http": 80, "https": 443}[parts.scheme])
    failure: list[str | None] = ["no answer"]

    def connect():
        try:
            socket.create_connection(address, timeout=_CONNECT_SECONDS).close()
            failure[0] = None
        except OSError as error:
            failure[0] = str(error)

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(_CONNECT_SECONDS + 1)
    if failure[0]:
        raise DownloadError(_message(f"{parts.hostname}: {failure[0]}"))


def _message(reason: str) -> str:
    return (
        f"Expected MNIST in a folder or mnist.npz named by {VARIABLE}, in Keras's cache "
        f"({keras_home() / 'datasets' / 'mnist.npz'}), or by download. Received: no such files, "
        f"and the download failed ({reason})."
    )
