"""Weights in safetensors files, with the names and layout of PyTorch.

A safetensors file consists of a JSON header and the bytes of arrays. Nothing in it can be executed.
"""

import contextlib
import importlib
import os
from collections.abc import Iterator
from types import ModuleType

import ae_multi
from ae_multi._keras import keras
from ae_multi.backend_selection import install_advice
from ae_multi.errors import BackendError, InputError
from ae_multi.interop.extract import extract_network
from ae_multi.interop.torch_graph import weights_of
from ae_multi.interop.weights import pair, put
from ae_multi.io.atomic import atomic_write, check_file, check_writable, wrap_read_errors

# The names and shapes of a thousand layers need a tenth of this.
_MAX_HEADER_BYTES = 1 << 24


def save_safetensors(model: keras.Model, path: os.PathLike[str] | str) -> None:
    """Save the weights of ``model`` with the keys and layout of `to_torch`.

    PyTorch loads them without this package:
    ``module.load_state_dict(safetensors.torch.load_file(path))``. The metadata hold the class of
    the model and the versions of this package and Keras.

    Args:
        model: a model as in `to_torch`, on any backend.
        path: path of the file, which is written atomically.

    Raises:
        BackendError: the package safetensors is not installed.
        InputError: the model cannot be converted, or the path cannot be written.
    """
    package = _package("safetensors.numpy")
    network = extract_network(model)
    path = check_writable(path, "the weights")
    arrays = {weight.key: weight.array for weight in weights_of(network)}
    metadata = {
        "format": "pt",
        "design": network.name,
        "order": " ".join(arrays),  # safetensors sorts the keys
        "ae_multi": ae_multi.__version__,
        "keras": keras.__version__,
    }
    with atomic_write(path) as temporary:
        package.save_file(arrays, temporary, metadata)


def load_safetensors(path: os.PathLike[str] | str, into: keras.Model) -> keras.Model:
    """Load the weights in a safetensors file into the Keras model ``into``.

    The file comes from `save_safetensors`, or holds the state dict of any PyTorch module with the
    same layers. Weights are matched as in `from_torch`. The keys in a safetensors file are sorted,
    so keys other than those of `to_torch` must contain numbers that give their order.

    Args:
        path: path of the file.
        into: a model as in `to_torch`, on any backend.

    Returns:
        ``into``.

    Raises:
        BackendError: the package safetensors is not installed.
        InputError: there is no such file, it is invalid, or the weights do not fit. The message
            names the key, its expected and its received shape. The model is unchanged.
    """
    package = _package("safetensors")
    weights = weights_of(extract_network(into))
    with wrap_read_errors(path, "safetensors file"):
        _check_header(path)
        with _wrap_errors(path, package), package.safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            where = f"{path} (of a {metadata['design']})" if "design" in metadata else str(path)
            keys = [k for k in file.keys() if not k.endswith("num_batches_tracked")]  # noqa: SIM118
            order = metadata.get("order", "").split(" ")
            keys = order if sorted(order) == sorted(keys) else keys
            # Shapes are checked first, since arrays that do not fit may be larger than memory.
            pair(weights, {key: file.get_slice(key).get_shape() for key in keys}, where)
            arrays = {key: file.get_tensor(key) for key in keys}
    put(weights, arrays, where)
    return into


def _check_header(path: os.PathLike[str] | str) -> None:
    """Check that the header is not longer than the file or than ``_MAX_HEADER_BYTES``."""
    check_file(path, "a safetensors file")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
    limit = min(size - 8, _MAX_HEADER_BYTES)
    if length > limit:
        raise InputError(
            f"Expected a safetensors file, with a header of up to {max(limit, 0):,} bytes. "
            f"Received: {path}, whose header states a length of {length:,} bytes."
        )


@contextlib.contextmanager
def _wrap_errors(path: os.PathLike[str] | str, package: ModuleType) -> Iterator[None]:
    """Convert errors of the package safetensors to `InputError`."""
    try:
        yield
    except (package.SafetensorError, TypeError) as error:  # TypeError: dtypes that NumPy lacks
        raise InputError(
            f"Expected a valid safetensors file of float32, float16 or float64. "
            f"Received: {path} ({error})."
        ) from error


def _package(name: str) -> ModuleType:
    """Import a module of the package safetensors, or raise `BackendError`."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise BackendError(
            "Expected the package safetensors to be installed. Received: it cannot be imported. "
            f"Install it with: {install_advice('safetensors')}."
        ) from error
