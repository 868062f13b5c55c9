"""A convolution of JAX's as a product of matrices.

A place p of the output, one k of the kernel and one l of the input meet, along each axis, where

    dilation * l = stride * p + spread * k - before

with JAX's window strides, dilations of input and kernel (here the kernel's is "spread") and
padding. The places of the kernel, or of the output where they are fewer, are taken one by one;
what each meets is a slice. Slices of images, or patches, as a matrix, times the kernel are a
convolution (Chellapilla et al., "High performance convolutional neural networks for document
processing", IWFHR 2006); the same matrix, transposed, times the gradient of the output is the
kernel's gradient, so that both share it. In a transposed convolution, of a dilated input, each
place of the input times each of the kernel is a part of one of the output, and parts are summed.

Axes have letters: n samples, c channels, x y z places of input and output; o channels of the
output, u v w places of the kernel. Patches are stacked along t.
"""

import math
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
from jax import lax

# Patches and parts are several times as large as their images. Past so many bytes XLA's own
# convolution stays.
_MAX_PATCH_BYTES = 2**26


def product(lhs, rhs, shape, given):
    """A convolution by a product of matrices, or None where that is not to be had or slower.

    Args:
        lhs: the input.
        rhs: the kernel.
        shape: of the output.
        given: the parameters of JAX's equation.
    """
    at = _geometry(lhs, rhs, shape, given)
    grouped = given["feature_group_count"] * given["batch_group_count"] > 1
    if grouped or not jnp.issubdtype(lhs.dtype, jnp.floating) or 0 in (*lhs.shape, *rhs.shape):
        return None
    exact = {name: given[name] for name in ("precision", "preferred_element_type")}
    few = math.prod(at.kernel) <= math.prod(at.outputs)  # places of the kernel
    dilated, spread = (at.dilation != 1).any(), (at.spread != 1).any()
    strided = (at.stride != 1).any()
    if not (dilated or spread or strided):  # measured: XLA's own is twice as fast
        return None
    if few and not dilated:
        return _of_patches(lhs, rhs, at, exact)
    if few and not strided:
        return _of_parts(lhs, rhs, at, exact)
    if not few and not (dilated and spread):
        return _of_places(lhs, rhs, at, exact, dilated)
    return None


def _geometry(lhs, rhs, shape, given):
    """The letters of all axes, sizes along those of places, and how places meet."""
    numbers = given["dimension_numbers"]
    space, window = "xyz"[: len(shape) - 2], "uvw"[: len(shape) - 2]
    left = _lettered("nc" + space, numbers.lhs_spec)
    right = _lettered("oc" + window, numbers.rhs_spec)
    out = _lettered("no" + space, numbers.out_spec)
    return SimpleNamespace(
        space=space,
        window=window,
        left=left,
        right=right,
        out=out,
        inputs=_sizes(lhs.shape, left, space),
        kernel=_sizes(rhs.shape, right, window),
        outputs=_sizes(shape, out, space),
        stride=np.array(given["window_strides"]),
        dilation=np.array(given["lhs_dilation"]),
        spread=np.array(given["rhs_dilation"]),
        before=np.array(given["padding"])[:, 0],
    )


def _of_patches(lhs, rhs, at, exact):
    """Patches times the kernel, of which k meets l = stride * p + start."""
    starts = [at.spread * place - at.before for place in np.ndindex(*at.kernel)]
    patches = _patches(lhs, at.left, at.space, starts, at.stride, at.outputs, beside="c")
    if patches is None:
        return None
    kernel = lax.transpose(rhs, [at.right.index(letter) for letter in at.window + "co"])
    kernel = kernel.reshape(-1, *kernel.shape[-2:])
    return jnp.einsum(f"{at.left.replace('c', 'tc')},tco->{at.out}", patches, kernel, **exact)


def _of_places(lhs, rhs, at, exact, dilated):
    """The same for each place of the output, of a kernel that is large, such as an image."""
    if not dilated:
        # The patches, transposed, times the kernel: p meets l = spread * k + start.
        starts = [at.stride * place - at.before for place in np.ndindex(*at.outputs)]
        lhs = _patches(lhs, at.left, at.space, starts, at.spread, at.kernel, beside="n")
        moved = at.left.translate(str.maketrans(at.space, at.window))
        letters = f"{moved.replace('n', 'tn')},{at.right}->tno"
    else:
        # As before, but the images are spread: p meets k = dilation * l + start in the kernel.
        starts = [at.before - at.stride * place for place in np.ndindex(*at.outputs)]
        rhs = _patches(rhs, at.right, at.window, starts, at.dilation, at.inputs, beside="o")
        moved = at.right.translate(str.maketrans(at.window, at.space))
        letters = f"{at.left},{moved.replace('o', 'to')}->tno"
    if lhs is None or rhs is None:
        return None
    result = jnp.einsum(letters, lhs, rhs, **exact)
    result = result.reshape(*at.outputs, *result.shape[1:])
    return lax.transpose(result, [(at.space + "no").index(letter) for letter in at.out])


def _of_parts(lhs, rhs, at, exact):
    """What each place of the input gives to the output: l and k meet p = dilation * l + start."""
    rows = lhs.size // lhs.shape[at.left.index("c")]
    columns = rhs.size // rhs.shape[at.right.index("c")]
    if rows * columns * lhs.dtype.itemsize > _MAX_PATCH_BYTES:
        return None
    parts = f"n{at.space}{at.window}o"
    result = jnp.einsum(f"{at.left},{at.right}->{parts}", lhs, rhs, **exact)
    for axis, size in enumerate(at.outputs):
        starts = at.before[axis] - at.spread[axis] * np.arange(at.kernel[axis])
        window = 1 + len(at.outputs)  # the first of those that are left
        result = _summed(result, 1 + axis, window, starts, int(at.dilation[axis]), size)
    return lax.transpose(result, [f"n{at.space}o".index(letter) for letter in at.out])


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
    if len(starts) * rest * math.prod(counts) * array.dtype.itemsize > _MAX_PATCH_BYTES:
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


def _summed(parts, axis, window, starts, step, size):
    """What the places of a kernel give to an output, summed up along one axis.

    Args:
        parts: an array.
        axis: its axis of the input's places, which becomes that of the output's.
        window: its axis of the kernel's places, which goes.
        starts: for each place of the kernel that of the output at which the input's first falls.
        step: the distance in the output between two of the input.
        size: the number of places in the output.
    """
    before, count = parts.shape[axis], -(-size // step)
    between = []  # the places of the output that are equal modulo the step
    for remainder in range(step):
        total = None
        for place, start in enumerate(starts):
            if start % step == remainder:
                moved = lax.index_in_dim(parts, place, window, keepdims=False)
                first = int(start - remainder) // step
                zeros = [(0, 0, 0)] * moved.ndim
                zeros[axis] = (first, count - before - first, 0)
                moved = lax.pad(moved, jnp.zeros((), moved.dtype), zeros)
                total = moved if total is None else total + moved
        if total is None:
            shape = [*parts.shape[:window], *parts.shape[window + 1 :]]
            shape[axis] = count
            total = jnp.zeros(shape, parts.dtype)
        between.append(total)
    joined = jnp.stack(between, axis + 1)
    shape = [*joined.shape[:axis], count * step, *joined.shape[axis + 2 :]]
    return lax.slice_in_dim(joined.reshape(shape), 0, size, axis=axis)
