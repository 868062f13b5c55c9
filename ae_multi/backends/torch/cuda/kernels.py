"""A Triton kernel that multiplies small matrices and applies bias and activation.

cuBLAS is optimized for matrices that fill a GPU. For a product of a small network it splits the sum
and needs a second kernel to combine the partial sums, and a third for bias and activation.
"""

import torch
import triton
from triton import language as tl

# Block size of the kernel along rows, columns and the sum, and its number of warps. Blocks are
# small, so that even a small product is distributed over the GPU.
_BLOCK_ROWS, _BLOCK_COLUMNS, _BLOCK_INNER, _NUM_WARPS = 16, 16, 64, 4
_SIZES_AND_STRIDES = ["rows", "columns", "inner", "a_row", "a_inner", "b_inner", "b_column"]


@triton.jit(do_not_specialize_on_alignment=_SIZES_AND_STRIDES)
def _multiply(
    a,
    b,
    bias,
    kept,
    out,
    rows,
    columns,
    inner,
    a_row,
    a_inner,
    b_inner,
    b_column,
    biased: tl.constexpr,
    relu: tl.constexpr,
    masked: tl.constexpr,
    block_rows: tl.constexpr,
    block_columns: tl.constexpr,
    block_inner: tl.constexpr,
):
    row = tl.program_id(0) * block_rows + tl.arange(0, block_rows)
    column = tl.program_id(1) * block_columns + tl.arange(0, block_columns)
    in_rows, in_columns = row[:, None] < rows, column[None, :] < columns
    total = tl.zeros((block_rows, block_columns), dtype=tl.float32)
    for start in range(0, inner, block_inner):
        position = start + tl.arange(0, block_inner)
        one = tl.load(
            a + row[:, None] * a_row + position[None, :] * a_inner,
            mask=in_rows & (position[None, :] < inner),
            other=0.0,
        )
        other = tl.load(
            b + position[:, None] * b_inner + column[None, :] * b_column,
            mask=(position[:, None] < inner) & in_columns,
            other=0.0,
        )
        total = tl.dot(one, other, total, input_precision="ieee")
    if biased:
        total += tl.load(bias + column, mask=column < columns, other=0.0)[None, :]
    offset = row[:, None] * columns + column[None, :]
    # NaN stays NaN, as in PyTorch.
    if relu:
        total = tl.where(total <= 0, 0.0, total)
    if masked:
        activation = tl.load(kept + offset, mask=in_rows & in_columns, other=0.0)
        total = tl.where(activation <= 0, 0.0, total)
    tl.store(out + offset, total, mask=in_rows & in_columns)


def multiply(
    a: torch.Tensor,
    b: torch.Tensor,
    bias: torch.Tensor | None = None,
    kept: torch.Tensor | None = None,
    relu: bool = False,
) -> torch.Tensor:
    """Compute ``a @ b`` of float32 matrices of any strides on a GPU.

    See `small_matmul.product` for the other arguments.
    """
    (rows, inner), columns = a.shape, b.shape[1]
    out = a.new_empty(rows, columns)
    grid = triton.cdiv(rows, _BLOCK_ROWS), triton.cdiv(columns, _BLOCK_COLUMNS)
    _multiply[grid](
        a,
        b,
        a if bias is None else bias.contiguous(),
        a if kept is None else kept.contiguous(),
        out,
        rows,
        columns,
        inner,
        *a.stride(),
        *b.stride(),
        biased=bias is not None,
        relu=relu,
        masked=kept is not None,
        block_rows=_BLOCK_ROWS,
        block_columns=_BLOCK_COLUMNS,
        block_inner=_BLOCK_INNER,
        num_warps=_NUM_WARPS,
    )
    return out
