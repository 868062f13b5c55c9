"""Convolutions as products of matrices, for XLA on a CPU.

There XLA computes the gradient of a kernel as a convolution with a kernel as large as an image.
With a stride that image has zeros in it, or gaps, and takes several times as long as the product
of matrices that it is. So a function is traced, and the equations of the trace are computed anew,
with another meaning of convolution. Patches of images, as a matrix, times the kernel are a
convolution (Chellapilla et al., "High performance convolutional neural networks for document
processing", IWFHR 2006); the same matrix, transposed, times the gradient of the output is the
kernel's gradient, so that both share it.

A place p of the output, one k of the kernel and one l of the input meet, along each axis, where

    dilation * l = stride * p + spread * k - before

with JAX's window strides, dilations of input and kernel (here the kernel's is "spread") and
padding. The places of the kernel, or of the output where they are fewer, are taken one by one;
what each meets is a slice.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core

# A matrix of patches is several times as large as its images. Past so many bytes XLA's own
# convolution stays.
_MOST = 2**26
# What wraps a trace whose equations may as well stand in its place.
_WRAPPERS = {"jit": "jaxpr", "pjit": "jaxpr", "custom_jvp_call": "call_jaxpr"}


def as_products(function):
    """``function``, with convolutions in its trace as products of matrices where that is faster.

    Args:
        function: of nested arrays, returns nested arrays.

    Returns:
        A function that gives the same to rounding, not to be differentiated. These remain
        convolutions: those without strides or dilation, and transposed ones, at which XLA is as
        good; those in groups, in loops and in branches, those of integers, and those whose
        patches would take too much memory.
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
        product = _product(*given, equation.outvars[0].aval.shape, parameters)
        if product is not None:
            return [product]
    bound = primitive.get_bind_params(parameters)
    # Versions of JAX differ: some return functions apart from the parameters.
    functions, bound = bound if isinstance(bound, tuple) else ((), bound)
    outputs = primitive.bind(*functions, *given, **bound)
    return outputs if primitive.multiple_results else [outputs]


def _product(lhs, rhs, shape, given):
    """A convolution by a product of matrices, or None where that is not to be had or slower.

    Axes have letters: n samples, c channels, x y z places of input and output; o channels of the
    output, u v w places of the kernel. Patches are stacked along t.

    Args:
        lhs: the input.
        rhs: the kernel.
        shape: of the output.
        given: the parameters of JAX's equation.
    """
    numbers = given["dimension_numbers"]
    space, window = "xyz"[: len(shape) - 2], "uvw"[: len(shape) - 2]
    left = _lettered("nc" + space, numbers.lhs_spec)
    right = _lettered("oc" + window, numbers.rhs_spec)
    out = _lettered("no" + space, numbers.out_spec)
    inputs, kernel = _sizes(lhs.shape, left, space), _sizes(rhs.shape, right, window)
    outputs = _sizes(shape, out, space)
    stride, dilation = np.array(given["window_strides"]), np.array(given["lhs_dilation"])
    spread, before = np.array(given["rhs_dilation"]), np.array(given["padding"])[:, 0]

    few = math.prod(kernel) <= math.prod(outputs)  # places of the kernel
    grouped = given["feature_group_count"] * given["batch_group_count"] > 1
    if grouped or not jnp.issubdtype(lhs.dtype, jnp.floating) or 0 in (*lhs.shape, *rhs.shape):
        return None
    if (np.array([stride, dilation, spread]) == 1).all():  # measured: XLA's own is twice as fast
        return None
    if few and (dilation == 1).all():
        # The patches times the kernel, of which k meets l = stride * p + start.
        starts = [spread * place - before for place in np.ndindex(*kernel)]
        one = _patches(lhs, left, space, starts, stride, outputs, beside="c")
        other = lax.transpose(rhs, [right.index(letter) for letter in window + "co"])
        other = other.reshape(-1, *other.shape[-2:])
        letters = f"{left.replace('c', 'tc')},tco->{out}"
    elif not few and (dilation == 1).all():
        # The patches, transposed, times a kernel of images: p meets l = spread * k + start.
        starts = [stride * place - before for place in np.ndindex(*outputs)]
        one, other = _patches(lhs, left, space, starts, spread, kernel, beside="n"), rhs
        moved = left.translate(str.maketrans(space, window))
        letters = f"{moved.replace('n', 'tn')},{right}->tno"
    elif not few and (spread == 1).all():
        # As before, but the images are spread: p meets k = dilation * l + start in the kernel.
        starts = [before - stride * place for place in np.ndindex(*outputs)]
        one, other = lhs, _patches(rhs, right, window, starts, dilation, inputs, beside="o")
        moved = right.translate(str.maketrans(window, space))
        letters = f"{left},{moved.replace('o', 'to')}->tno"
    else:
        return None
    if one is None or other is None:
        return None
    exact = {name: given[name] for name in ("precision", "preferred_element_type")}
    result = jnp.einsum(letters, one, other, **exact)
    if few:
        return result
    result = result.reshape(*outputs, *result.shape[1:])
    return lax.transpose(result, [(space + "no").index(letter) for letter in out])


def _lettered(letters, spec):
    """The letters in the order of an array's axes; ``spec`` tells the axis of each."""
    return "".join(letter for _, letter in sorted(zip(spec, letters, strict=True)))


def _sizes(shape, lettered, letters):
    return [shape[lettered.index(letter)] for letter in letters]


def _patches(array, lettered, letters, starts, steps, counts, beside):
    """Slices of ``array``, stacked before the axis ``beside``, or None if they are too large.

    Args:
        array: what is sliced; zeros are around it.
        lettered: its axes' letters.
        letters: the axes along which slices are taken.
        starts: for each slice the place where it begins along each of these axes.
        steps: the distance between its elements along each.
        counts: their number along each.
        beside: the letter of an axis.
    """
    axes = [lettered.index(letter) for letter in letters]
    rest = array.size // math.prod(array.shape[axis] for axis in axes)
    if len(starts) * rest * math.prod(counts) * array.dtype.itemsize > _MOST:
        return None
    # One array of zeros around serves all slices.
    sizes, ends = np.array(array.shape)[axes], steps * (np.array(counts) - 1) + 1
    low = np.maximum(0, -np.min(starts, 0))
    high = np.maximum(0, np.max(starts, 0) + ends - sizes)
    zeros = [(0, 0, 0)] * array.ndim
    for axis, before, after in zip(axes, low.tolist(), high.tolist(), strict=True):
        zeros[axis] = (before, after, 0)
    padded = lax.pad(array, jnp.zeros((), array.dtype), zeros)
    slices = []
    for start in starts + low:
        cut = [slice(None)] * array.ndim
        for axis, begin, end, step in zip(axes, start, start + ends, steps, strict=True):
            cut[axis] = slice(int(begin), int(end), int(step))
        slices.append(padded[tuple(cut)])
    return jnp.stack(slices, lettered.index(beside))
