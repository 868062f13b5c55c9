"""Convolutions as products of matrices, for XLA on a CPU.

There XLA computes the gradient of a kernel as a convolution with a kernel as large as an image.
With a stride that image has zeros in it, or gaps, and takes several times as long as the product
of matrices that it is; and a transposed convolution goes through an input with zeros between. So a
function is traced, and the equations of the trace are computed anew, with another meaning of
convolution: `ae_multi.backends.jax.optimizations.matmul_rewrite`.
"""

import jax
from jax.extend import core

from ae_multi.backends.jax.device import on_cpu
from ae_multi.backends.jax.optimizations.matmul_rewrite import product
from ae_multi.backends.layer_queries import has_convolutions

# What wraps a trace whose equations may as well stand in its place.
_WRAPPERS = {"jit": "jaxpr", "pjit": "jaxpr", "custom_jvp_call": "call_jaxpr"}


def suited(function, model):
    """``function``, which runs ``model``, as it is best run here: `as_products` on a CPU."""
    return as_products(function) if on_cpu() and has_convolutions(model) else function


def as_products(function):
    """``function``, with convolutions in its trace as products of matrices where that is faster.

    Args:
        function: of nested arrays, returns nested arrays.

    Returns:
        A function that gives the same to rounding, not to be differentiated. These remain
        convolutions: those without strides or dilation, at which XLA is better; those in groups,
        in loops and in branches, those of integers, and those whose patches or parts would take
        too much memory.
    """

    def computed(*arguments):
        traced, shape = jax.make_jaxpr(function, return_shape=True)(*arguments)
        outputs = _run(traced.jaxpr, traced.consts, jax.tree.leaves(arguments))
        return jax.tree.unflatten(jax.tree.structure(shape), outputs)

    return computed


def _run(jaxpr, constants, arguments):
    """The outputs of a trace, equation by equation."""
    values = dict(zip(jaxpr.constvars, constants, strict=True))
    values.update(zip(jaxpr.invars, arguments, strict=True))

    def value(atom):
        return atom.val if isinstance(atom, core.Literal) else values[atom]

    for equation in jaxpr.eqns:
        given = [value(atom) for atom in equation.invars]
        values.update(zip(equation.outvars, _outputs(equation, given), strict=True))
    return [value(atom) for atom in jaxpr.outvars]


def _outputs(equation, given):
    primitive, parameters = equation.primitive, equation.params
    if primitive.name in _WRAPPERS:
        inner = parameters[_WRAPPERS[primitive.name]]
        return _run(inner.jaxpr, inner.consts, given)
    if primitive.name == "conv_general_dilated":
        made = product(*given, equation.outvars[0].aval.shape, parameters)
        if made is not None:
            return [made]
    bound = primitive.get_bind_params(parameters)
    # Versions of JAX differ: some return functions apart from the parameters.
    functions, bound = bound if isinstance(bound, tuple) else ((), bound)
    outputs = primitive.bind(*functions, *given, **bound)
    return outputs if primitive.multiple_results else [outputs]
