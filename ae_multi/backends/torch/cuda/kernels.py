"""A product of small matrices with what follows it, as one kernel of a GPU (Triton).

cuBLAS is made for matrices that fill a GPU. In a product of a small network's it adds up in parts
of the sum, with a second kernel to join them, and bias and activation are a third.
"""

import triton
from triton import language as tl

# Rows and columns that a block of threads makes, how far it goes along the sum at a time, and the
# warps that a block has. Small, so that even a small product is spread over the GPU.
_TALL, _WIDE, _DEEP, _WARPS = 16, 16, 64, 4
_NUMBERS = ["rows", "columns", "inner", "a_row", "a_inner", "b_inner", "b_column"]


@triton.jit(do_not_specialize_on_alignment=_NUMBERS)
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
    tall: tl.constexpr,
    wide: tl.constexpr,
    deep: tl.constexpr,
):
    row = tl.program_id(0) * tall + tl.arange(0, tall)
    column = tl.program_id(1) * wide + tl.arange(0, wide)
    in_rows, in_columns = row[:, None] < rows, column[None, :] < columns
    made = tl.zeros((tall, wide), dtype=tl.float32)
    for start in range(0, inner, deep):
        place = start + tl.arange(0, deep)
        one = tl.load(
            a + row[:, None] * a_row + place[None, :] * a_inner,
            mask=in_rows & (place[None, :] < inner),
            other=0.0,
        )
        other = tl.load(
            b + place[:, None] * b_inner + column[None, :] * b_column,
            mask=(place[:, None] < inner) & in_columns,
            other=0.0,
        )
        made = tl.dot(one, other, made, input_precision="ieee")
    if biased:
        made += tl.load(bias + column, mask=column < columns, other=0.0)[None, :]
    where = row[:, None] * columns + column[None, :]
    # As PyTorch has it, what is no number stays so.
    if relu:
        made = tl.where(made <= 0, 0.0, made)
    if masked:
        passed = tl.load(kept + where, mask=in_rows & in_columns, other=0.0)
        made = tl.where(passed <= 0, 0.0, made)
    tl.store(out + where, made, mask=in_rows & in_columns)


def multiply(a, b, bias=None, kept=None, relu=False):
    """``a @ b`` of float32 matrices on a GPU, of any strides; see `small_matmul.product`."""
    (rows, inner), columns = a.shape, b.shape[1]
    out = a.new_empty(rows, columns)
    grid = triton.cdiv(rows, _TALL), triton.cdiv(columns, _WIDE)
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
        tall=_TALL,
        wide=_WIDE,
        deep=_DEEP,
        num_warps=_WARPS,
    )
    return out
