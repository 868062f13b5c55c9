"""Conversion of models to pure JAX functions, and of JAX parameters to Keras weights."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi.interop import padding
from ae_multi.interop.extract import extract_network
from ae_multi.interop.graph import Network
from ae_multi.interop.weights import Weight, put


def to_jax(model: keras.Model) -> tuple[dict[str, Any], Callable[[Any, Any], Any]]:
    r"""Convert ``model`` for inference to parameters and a pure JAX function.

    The function ``apply(params, x)`` consists of JAX operations, without Keras. It can be compiled
    with `jax.jit`, differentiated, vectorised and exported. Its inputs are those of the Keras
    model, float32 (n, \*sample shape), and its outputs are within 1e-6 of the model's. The
    conversion works on any backend.

    The parameters are nested dicts of layer names, in Keras's layout, which is also JAX's:
    ``params["encoder"]["code"]["kernel"]`` for an autoencoder, ``params["code"]["kernel"]`` for
    other models. They include the moving mean and variance of a BatchNormalization, which is
    converted for inference; exclude these two from further training. Operations that only happen
    in training are omitted.

    Args:
        model: a model as in `ae_multi.to_torch`; ``model.encoder`` is one too.

    Returns:
        (params, apply).

    Raises:
        BackendError: JAX is not installed.
        InputError: the model or a layer cannot be converted; the message names it.

    Example:
        >>> params, apply = ae_multi.to_jax(model)
        >>> images = jax.jit(apply)(params, images)
        >>> gradients = jax.grad(lambda p: ((apply(p, x) - x) ** 2).mean())(params)
    """
    native = backends.get_native_network("jax")
    network = extract_network(model)
    params: dict[str, Any] = {}
    for weight in _weights_of(network):
        *path, role = weight.key.split(".")
        inner = params
        for name in path:
            inner = inner.setdefault(name, {})
        inner[role] = weight.array
    return native.as_parameters(params), native.function(network, padding)


def from_jax(params: Any, into: keras.Model) -> keras.Model:
    """Copy JAX parameters into the Keras model ``into``.

    The parameters come from `to_jax`, or from any JAX model with the same layers in the same
    order: lists of (kernel, bias), or dicts. Arrays are matched by name if the names are those of
    `to_jax`, and otherwise by order. JAX sorts the names in a dict, so that they must then contain
    numbers ("Dense_0", "Dense_1"). Kernels have the shapes that are usual in JAX: (inputs, units)
    and (height, width, inputs, outputs).

    Args:
        params: nested dicts, lists and tuples of arrays.
        into: a model as in `ae_multi.to_torch`. The state of its optimizer is unchanged.

    Returns:
        ``into``.

    Raises:
        InputError: there are too few or too many arrays, or one has another shape. The message
            names it, its expected and its received shape. The model is unchanged.
    """
    put(_weights_of(extract_network(into)), dict(_leaves(params, ())), "the parameters")
    return into


def _weights_of(network: Network) -> list[Weight]:
    """Return all weights, with keys such as "encoder.code.kernel"."""
    alone = len(network.parts) == 1
    return [
        Weight(
            ".".join([*([] if alone else [part.name]), layer.name, role]),
            variable,
            tuple(range(len(variable.shape))),
        )
        for part, layer in network.layers
        for role, variable in layer.variables.items()
    ]


def _leaves(tree: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Yield pairs (dotted key, array) of a pytree, in order."""
    if isinstance(tree, Mapping):
        for name, branch in tree.items():
            yield from _leaves(branch, (*path, str(name)))
    elif isinstance(tree, list | tuple):
        for index, branch in enumerate(tree):
            yield from _leaves(branch, (*path, str(index)))
    else:
        yield ".".join(path), tree
