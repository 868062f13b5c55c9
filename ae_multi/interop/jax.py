"""A model as a pure function of JAX's, and the parameters of one in a model."""

from collections.abc import Mapping

from ae_multi import backends
from ae_multi.interop import padding
from ae_multi.interop.extract import extract_network
from ae_multi.interop.weights import Weight, put


def to_jax(model):
    r"""``model`` in use, as parameters and a pure function ``apply(params, x)``, on any backend.

    The function is made of JAX's own operations, without Keras: it can be compiled by `jax.jit`,
    differentiated, vectorised and exported. It takes what the Keras model takes, float32
    (n, \*sample shape), and its outputs are within 1e-6 of the model's.

    The parameters are nested dicts: of an autoencoder ``params["encoder"]["code"]["kernel"]``, of
    other models ``params["code"]["kernel"]``, by the names of layers and in Keras's layout, which
    is JAX's. The statistics of a BatchNormalization are among them, as it is in use; whoever goes
    on training should leave these two out. What only training does is left out.

    Args:
        model: a model as `ae_multi.to_torch` takes it; ``model.encoder`` is one too.

    Returns:
        (params, apply).

    Raises:
        BackendError: JAX is not installed here.
        InputError: a model or layer that cannot be moved; the message names it.

    Example:
        >>> params, apply = ae_multi.to_jax(model)
        >>> images = jax.jit(apply)(params, images)
        >>> slopes = jax.grad(lambda p: ((apply(p, x) - x) ** 2).mean())(params)
    """
    native = backends.get_native_network("jax")
    network = extract_network(model)
    params = {}
    for weight in _weights_of(network):
        *path, role = weight.key.split(".")
        inner = params
        for name in path:
            inner = inner.setdefault(name, {})
        inner[role] = weight.array
    return native.as_parameters(params), native.function(network, padding)


def from_jax(params, into):
    """Give the Keras model ``into`` parameters of JAX's; return it.

    They may be `to_jax`'s after training, or anyone's of the same layers in the same order: lists
    of (kernel, bias), or dicts. Names that are `to_jax`'s decide what goes where, and else the
    order does; since JAX sorts a dict's names, they need numbers then ("Dense_0", "Dense_1").
    Kernels are (inputs, units) and (height, width, inputs, outputs), as is usual with JAX.

    Args:
        params: nested dicts, lists and tuples of arrays.
        into: a model as `ae_multi.to_torch` takes it. An optimizer that it has keeps its state.

    Raises:
        InputError: too few or too many arrays, or one of another shape: the message names it,
            what was expected and what came. The model is left as it was.
    """
    put(_weights_of(extract_network(into)), dict(_leaves(params, ())), "the parameters")
    return into


def _weights_of(network):
    """All weights, by keys such as "encoder.code.kernel"."""
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


def _leaves(tree, path):
    """All arrays of a pytree, as pairs of a dotted key and the array, in order."""
    if isinstance(tree, Mapping):
        for name, branch in tree.items():
            yield from _leaves(branch, (*path, str(name)))
    elif isinstance(tree, list | tuple):
        for place, branch in enumerate(tree):
            yield from _leaves(branch, (*path, str(place)))
    else:
        yield ".".join(path), tree
