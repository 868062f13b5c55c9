"""Weights in a file that every framework reads: safetensors, with PyTorch's names and layout.

Such a file is a header of JSON and the bytes of arrays; there is nothing in it that could run.
"""

import contextlib
import importlib
import os

import ae_multi
from ae_multi._keras import keras
from ae_multi.errors import BackendError, InputError
from ae_multi.interop.extract import extract_network
from ae_multi.interop.torch_graph import weights_of
from ae_multi.interop.weights import pair, put
from ae_multi.io.atomic import atomic_write, check_file, check_writable, wrap_read_errors
from ae_multi.selection import install_advice

# Names and shapes of a thousand layers take a tenth of it.
_MAX_HEADER_BYTES = 1 << 24


def save_safetensors(model, path):
    """Write the weights of ``model`` to ``path``, with the keys and layout of `to_torch`'s.

    So in PyTorch, without this package,
    ``module.load_state_dict(safetensors.torch.load_file(path))`` loads them. The metadata say
    what design they are of, and who wrote them.

    Args:
        model: a model as `to_torch` takes it, on any backend.
        path: where; the file is written whole or not at all.

    Raises:
        BackendError: the package safetensors is not installed.
        InputError: a model that cannot be moved, or a path that cannot be written.
    """
    package = _package("safetensors.numpy")
    network = extract_network(model)
    path = check_writable(path, "the weights")
    arrays = {weight.key: weight.array for weight in weights_of(network)}
    metadata = {
        "format": "pt",
        "design": network.name,
        "order": " ".join(arrays),  # the file itself keeps keys sorted
        "ae_multi": ae_multi.__version__,
        "keras": keras.__version__,
    }
    with atomic_write(path) as temporary:
        package.save_file(arrays, temporary, metadata)


def load_safetensors(path, into):
    """Give the Keras model ``into`` the weights in a safetensors file; return it.

    The file may be `save_safetensors`'s or anyone's who saved the state dict of a module of the
    same layers: see `from_torch`, which says what belongs where. Files keep keys sorted, so that
    keys other than `to_torch`'s need numbers that tell their order.

    Args:
        path: the file.
        into: a model as `to_torch` takes it, on any backend.

    Raises:
        BackendError: the package safetensors is not installed.
        InputError: no such file or no sound one, or weights that do not fit, of which the message
            names key, expected and received. The model is left as it was.
    """
    package = _package("safetensors")
    weights = weights_of(extract_network(into))
    with wrap_read_errors(path, "safetensors file"):
        _check_header(path)
        with _sound(path, package), package.safe_open(path, framework="np") as file:
            said = file.metadata() or {}
            where = f"{path} (of a {said['design']})" if "design" in said else str(path)
            keys = [key for key in file.keys() if not key.endswith("num_batches_tracked")]  # noqa: SIM118
            order = said.get("order", "").split(" ")
            keys = order if sorted(order) == sorted(keys) else keys
            # Shapes first: arrays of other weights may be larger than memory.
            pair(weights, {key: file.get_slice(key).get_shape() for key in keys}, where)
            arrays = {key: file.get_tensor(key) for key in keys}
    put(weights, arrays, where)
    return into


def _check_header(path):
    """See that the header is not longer than the file, or than any header is."""
    check_file(path, "a safetensors file")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
    most = min(size - 8, _MAX_HEADER_BYTES)
    if length > most:
        raise InputError(
            f"Expected a safetensors file, with a header of up to {max(most, 0):,} bytes. "
            f"Received: {path}, whose header is said to be {length:,} bytes long."
        )


@contextlib.contextmanager
def _sound(path, package):
    """Turn what the package says of a file into an `InputError`."""
    try:
        yield
    except (package.SafetensorError, TypeError) as error:  # TypeError: of types NumPy lacks
        raise InputError(
            f"Expected a sound safetensors file of float32, float16 or float64. "
            f"Received: {path} ({error})."
        ) from error


def _package(name):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise BackendError(
            "Expected the package safetensors to be installed. Received: it cannot be imported. "
            f"Install it with: {install_advice('safetensors')}."
        ) from error
