"""Convolutions as matrix products, for XLA on a CPU.

XLA computes the gradient of a kernel as a convolution whose kernel is as large as an image. With a
stride that kernel is dilated, and the convolution takes several times as long as the equivalent
matrix product. A transposed convolution similarly processes an input with zeros between its
elements. This module traces a function and evaluates the equations of the trace, with convolutions
replaced by `ae_multi.backends.jax.optimizations.matmul_rewrite`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.extend import core

from ae_multi._keras import keras
from ae_multi.backends.jax.device import on_cpu
from ae_multi.backends.jax.optimizations.matmul_rewrite import product
from ae_multi.backends.layer_queries import has_convolutions

# Primitives that wrap a jaxpr, with the name of its parameter. The jaxpr is evaluated inline.
_WRAPPERS = {"jit": "jaxpr", "pjit": "jaxpr", "custom_jvp_call": "call_jaxpr"}


def suited(function: Callable[..., Any], model: keras.Model) -> Callable[..., Any]:
    """Apply `as_products` to ``function`` if ``model`` has convolutions and runs on a CPU."""
    return as_products(function) if on_cpu() and has_convolutions(model) else function


def as_products(function: Callable[..., Any]) -> Callable[..., Any]:
    """Replace convolutions in the trace of ``function`` by matrix products where that is faster.

    Args:
        function: function of nested arrays that returns nested arrays.

    Returns:
        A function whose results are equal to rounding. It must not be differentiated. These
        remain convolutions: those without stride or dilation, for which XLA is faster; those with
        both a stride and a dilated input, or with a large kernel and both input and kernel
        dilated; grouped convolutions; convolutions in loops and branches; convolutions of other
        than floating-point numbers; and those whose patches or products would need too much
        memory.
    """

    def computed(*arguments: Any) -> Any:
        traced, shape = jax.make_jaxpr(function, return_shape=True)(*arguments)
        outputs = _run(traced.jaxpr, traced.consts, jax.tree.leaves(arguments))
        return jax.tree.unflatten(jax.tree.structure(shape), outputs)

    return computed


def _run(jaxpr: Any, constants: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
    """Evaluate a jaxpr equation by equation; return its outputs."""
    values = dict(zip(jaxpr.constvars, constants, strict=True))
    values.update(zip(jaxpr.invars, arguments, strict=True))

    def value(atom):
        return atom.val if isinstance(atom, core.Literal) else values[atom]

    for equation in jaxpr.eqns:
        inputs = [value(atom) for atom in equation.invars]
        values.update(zip(equation.outvars, _outputs(equation, inputs), strict=True))
    return [value(atom) for atom in jaxpr.outvars]


def _outputs(equation: Any, inputs: Sequence[Any]) -> Sequence[Any]:
    """Evaluate one equation of a jaxpr."""
    primitive, parameters = equation.primitive, equation.params
    if primitive.name in _WRAPPERS:
        inner = parameters[_WRAPPERS[primitive.name]]
        return _run(inner.jaxpr, inner.consts, inputs)
    if primitive.name == "conv_general_dilated":
        lhs, rhs = inputs
        output = product(lhs, rhs, equation.outvars[0].aval.shape, parameters)
        if output is not None:
            return [output]
    bound = primitive.get_bind_params(parameters)
    # Some versions of JAX return functions and parameters separately.
    functions, bound = bound if isinstance(bound, tuple) else ((), bound)
    outputs = primitive.bind(*functions, *inputs, **bound)
    return outputs if primitive.multiple_results else [outputs]
