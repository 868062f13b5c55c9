"""A JAX convolution as a matrix product.

The input element at l and the kernel element at k contribute their product to the output element
at p if, along each axis,

    dilation * l = stride * p + spread * k - before

with JAX's window strides, dilations of input and kernel (the kernel's is called "spread" here) and
padding. The code iterates over the positions of the kernel, or of the output if these are fewer.
The elements that belong to one position form a slice. The matrix of image slices, or patches, times
the kernel is the convolution (Chellapilla et al., "High performance convolutional neural networks
for document processing", IWFHR 2006). The transposed matrix times the gradient of the output is
the gradient of the kernel, so that both share the patches. In a transposed convolution, whose
input is dilated, the product of each input position and each kernel position contributes to one
output position, and the contributions are summed.

Axes have letters: n samples; c input channels; x, y, z positions of input and output; o output
channels; u, v, w positions of the kernel. Patches are stacked along t.
"""

import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# Patches and contributions are several times as large as the images. If they exceed this size,
# XLA's convolution is used.
_MAX_PATCH_BYTES = 2**26


def product(
    lhs: jax.Array, rhs: jax.Array, shape: Sequence[int], parameters: dict[str, Any]
) -> jax.Array | None:
    """Compute a convolution by a matrix product; return None if that is unsupported or slower.

    Args:
        lhs: the input, with the axes of ``dimension_numbers`` in ``parameters``.
        rhs: the kernel.
        shape: shape of the output.
        parameters: parameters of the ``conv_general_dilated`` equation.
    """
    geometry = _geometry(lhs, rhs, shape, parameters)
    grouped = parameters["feature_group_count"] * parameters["batch_group_count"] > 1
    if grouped or not jnp.issubdtype(lhs.dtype, jnp.floating) or 0 in (*lhs.shape, *rhs.shape):
        return None
    precision = {name: parameters[name] for name in ("precision", "preferred_element_type")}
    small_kernel = math.prod(geometry.kernel) <= math.prod(geometry.outputs)
    dilated, spread = (geometry.dilation != 1).any(), (geometry.spread != 1).any()
    strided = (geometry.stride != 1).any()
    if not (dilated or spread or strided):  # measured: XLA is twice as fast
        return None
    if small_kernel and not dilated:
        return _by_patches(lhs, rhs, geometry, precision)
    if small_kernel and not strided:
        return _by_scatter(lhs, rhs, geometry, precision)
    if not small_kernel and not (dilated and spread):
        return _by_output_positions(lhs, rhs, geometry, precision, dilated)
    return None


def _geometry(
    lhs: jax.Array, rhs: jax.Array, shape: Sequence[int], parameters: dict[str, Any]
) -> SimpleNamespace:
    """Return the letters of all axes, the sizes of the spatial axes, strides and padding."""
    numbers = parameters["dimension_numbers"]
    space, window = "xyz"[: len(shape) - 2], "uvw"[: len(shape) - 2]
    left = _axis_letters("nc" + space, numbers.lhs_spec)
    right = _axis_letters("oc" + window, numbers.rhs_spec)
    out = _axis_letters("no" + space, numbers.out_spec)
    return SimpleNamespace(
        space=space,
        window=window,
        left=left,
        right=right,
        out=out,
        inputs=_sizes(lhs.shape, left, space),
        kernel=_sizes(rhs.shape, right, window),
        outputs=_sizes(shape, out, space),
        stride=np.array(parameters["window_strides"]),
        dilation=np.array(parameters["lhs_dilation"]),
        spread=np.array(parameters["rhs_dilation"]),
        before=np.array(parameters["padding"])[:, 0],
    )


def _by_patches(
    lhs: jax.Array, rhs: jax.Array, geometry: SimpleNamespace, precision: dict[str, Any]
) -> jax.Array | None:
    """Multiply patches by the kernel; for kernel position k, l = stride * p + start."""
    starts = [
        geometry.spread * position - geometry.before for position in np.ndindex(*geometry.kernel)
    ]
    patches = _patches(
        lhs, geometry.left, geometry.space, starts, geometry.stride, geometry.outputs, before="c"
    )
    if patches is None:
        return None
    kernel = lax.transpose(rhs, [geometry.right.index(letter) for letter in geometry.window + "co"])
    kernel = kernel.reshape(-1, *kernel.shape[-2:])
    return jnp.einsum(
        f"{geometry.left.replace('c', 'tc')},tco->{geometry.out}", patches, kernel, **precision
    )


def _by_output_positions(
    lhs: Any,
    rhs: Any,
    geometry: SimpleNamespace,
    precision: dict[str, Any],
    dilated: bool,
) -> jax.Array | None:
    """Multiply for each output position, for a large kernel such as an image."""
    if not dilated:
        # Transposed patches times the kernel: for output position p, l = spread * k + start.
        starts = [
            geometry.stride * position - geometry.before
            for position in np.ndindex(*geometry.outputs)
        ]
        lhs = _patches(
            lhs, geometry.left, geometry.space, starts, geometry.spread, geometry.kernel, before="n"
        )
        renamed = geometry.left.translate(str.maketrans(geometry.space, geometry.window))
        letters = f"{renamed.replace('n', 'tn')},{geometry.right}->tno"
    else:
        # The same for dilated images, with patches of the kernel: k = dilation * l + start.
        starts = [
            geometry.before - geometry.stride * position
            for position in np.ndindex(*geometry.outputs)
        ]
        rhs = _patches(
            rhs,
            geometry.right,
            geometry.window,
            starts,
            geometry.dilation,
            geometry.inputs,
            before="o",
        )
        renamed = geometry.right.translate(str.maketrans(geometry.window, geometry.space))
        letters = f"{geometry.left},{renamed.replace('o', 'to')}->tno"
    if lhs is None or rhs is None:
        return None
    result = jnp.einsum(letters, lhs, rhs, **precision)
    result = result.reshape(*geometry.outputs, *result.shape[1:])
    return lax.transpose(result, [(geometry.space + "no").index(letter) for letter in geometry.out])


def _by_scatter(
    lhs: jax.Array, rhs: jax.Array, geometry: SimpleNamespace, precision: dict[str, Any]
) -> jax.Array | None:
    """Sum the contributions of input positions; for position k, p = dilation * l + start."""
    rows = lhs.size // lhs.shape[geometry.left.index("c")]
    columns = rhs.size // rhs.shape[geometry.right.index("c")]
    if rows * columns * lhs.dtype.itemsize > _MAX_PATCH_BYTES:
        return None
    contributions = f"n{geometry.space}{geometry.window}o"
    result = jnp.einsum(f"{geometry.left},{geometry.right}->{contributions}", lhs, rhs, **precision)
    for axis, size in enumerate(geometry.outputs):
        starts = geometry.before[axis] - geometry.spread[axis] * np.arange(geometry.kernel[axis])
        window = 1 + len(geometry.outputs)  # the first kernel axis that is not summed yet
        result = _sum_contributions(
            result, 1 + axis, window, starts, int(geometry.dilation[axis]), size
        )
    return lax.transpose(result, [f"n{geometry.space}o".index(letter) for letter in geometry.out])


def _axis_letters(letters: str, spec: Sequence[int]) -> str:
    """Sort letters by the axes of an array; ``spec`` has the axis of each letter."""
    return "".join(letter for _, letter in sorted(zip(spec, letters, strict=True)))


def _sizes(shape: Sequence[int], axis_letters: str, letters: str) -> list[int]:
    return [shape[axis_letters.index(letter)] for letter in letters]


def _patches(
    array: jax.Array,
    axis_letters: str,
    letters: str,
    starts: Sequence[np.ndarray],
    steps: np.ndarray,
    counts: Sequence[int],
    before: str,
) -> jax.Array | None:
    """Stack slices of ``array`` before the axis ``before``; None if they are too large.

    Args:
        array: the array, which is padded by zeros.
        axis_letters: letters of its axes.
        letters: letters of the axes along which slices are taken.
        starts: for each slice its first position along each of these axes.
        steps: distance between its elements along each axis.
        counts: number of its elements along each axis.
        before: letter of an axis.
    """
    axes = [axis_letters.index(letter) for letter in letters]
    rest = array.size // math.prod(array.shape[axis] for axis in axes)
    if len(starts) * rest * math.prod(counts) * array.dtype.itemsize > _MAX_PATCH_BYTES:
        return None
    # One padded array serves all slices.
    sizes, ends = np.array(array.shape)[axes], steps * (np.array(counts) - 1) + 1
    low = np.maximum(0, -np.min(starts, 0))
    high = np.maximum(0, np.max(starts, 0) + ends - sizes)
    zeros = [(0, 0, 0)] * array.ndim
    for axis, left, right in zip(axes, low.tolist(), high.tolist(), strict=True):
        zeros[axis] = (left, right, 0)
    padded = lax.pad(array, jnp.zeros((), array.dtype), zeros)
    slices = []
    for start in starts + low:
        cut = [slice(None)] * array.ndim
        for axis, begin, end, step in zip(axes, start, start + ends, steps, strict=True):
            cut[axis] = slice(int(begin), int(end), int(step))
        slices.append(padded[tuple(cut)])
    return jnp.stack(slices, axis_letters.index(before))


def _sum_contributions(
    contributions: jax.Array, axis: int, window: int, starts: np.ndarray, step: int, size: int
) -> jax.Array:
    """Sum the contributions of all kernel positions to the output, along one axis.

    Args:
        contributions: the contributions.
        axis: their axis of input positions, which becomes the axis of output positions.
        window: their axis of kernel positions, which is removed.
        starts: for each kernel position, the output position of the first input position.
        step: distance in the output between neighbouring input positions.
        size: number of output positions.
    """
    before, count = contributions.shape[axis], -(-size // step)
    between = []  # for each remainder modulo the step, the output positions that have it
    for remainder in range(step):
        total = None
        for position, start in enumerate(starts):
            if start % step == remainder:
                part = lax.index_in_dim(contributions, position, window, keepdims=False)
                first = int(start - remainder) // step
                zeros = [(0, 0, 0)] * part.ndim
                zeros[axis] = (first, count - before - first, 0)
                part = lax.pad(part, jnp.zeros((), part.dtype), zeros)
                total = part if total is None else total + part
        if total is None:
            shape = [*contributions.shape[:window], *contributions.shape[window + 1 :]]
            shape[axis] = count
            total = jnp.zeros(shape, contributions.dtype)
        between.append(total)
    joined = jnp.stack(between, axis + 1)
    shape = [*joined.shape[:axis], count * step, *joined.shape[axis + 2 :]]
    return lax.slice_in_dim(joined.reshape(shape), 0, size, axis=axis)
