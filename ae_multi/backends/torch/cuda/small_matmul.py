"""Products of small matrices together with bias, activation and its gradient, on a GPU.

A step of a small network is a row of products, each of which waits for the one before. What counts
is how many kernels that makes and how soon each is done, not how many numbers are multiplied.
"""

import importlib.util
from functools import cache

import torch

from ae_multi.backends.torch.graph_passes.nodes import quiet_between, replace, tensor_of

aten = torch.ops.aten
# How long a sum, and how many products of two numbers, from which on cuBLAS is ahead (an H200).
_MAX_INNER_SIZE, _MAX_MULTIPLICATIONS = 2**8, 2**24


def with_small_products(module):
    """A recording in which small products and what follows them are one operation each.

    Args:
        module: a `torch.fx.GraphModule` of ATen operations; it is changed. What it computes stays
            the same up to rounding.
    """
    graph = module.graph
    quiet = quiet_between(graph)
    for node in list(graph.nodes):
        if node.target is aten.mm.default:
            bias, factors = None, node.args
        elif node.target is aten.addmm.default and not node.kwargs:
            bias, factors = node.args[0], node.args[1:]
        else:
            continue
        if not _is_small(*map(tensor_of, factors)) or (bias and tensor_of(bias).ndim != 1):
            continue
        last, kept, relu = node, None, False
        user = next(iter(node.users)) if len(node.users) == 1 else None
        if user is not None and quiet(node, user):
            if user.target is aten.relu.default:
                last, relu = user, True
            elif user.target is aten.threshold_backward.default and user.args[::2] == (node, 0):
                last, kept = user, user.args[1]
        with graph.inserting_before(last):
            operation = torch.ops.ae_multi.small_product.default
            made = graph.call_function(operation, (*factors, bias, kept, relu))
        replace(last, made)
        if last is not node:
            graph.erase_node(node)
    module.recompile()
    return module


@cache
def kernel():
    """`kernels.multiply`, or None where it cannot be had: no Triton, no compiler, an old GPU."""
    if not importlib.util.find_spec("triton"):
        return None
    try:
        from ae_multi.backends.torch.cuda.kernels import multiply

        one = torch.ones(1, 1, device="cuda")
        multiply(one, one)
    except Exception:  # whatever Triton, its compiler and the driver say
        return None
    return multiply


def product(one, other, bias=None, kept=None, relu=False):
    """The product of two matrices and what is done with it, in one kernel where that is sooner.

    Args:
        one: (rows, inner).
        other: (inner, columns).
        bias: what is added to each row, (columns,).
        kept: (rows, columns); where this is not above zero, the product is made zero.
        relu: whether the product is rectified.
    """
    if one.is_cuda and _is_small(one, other) and kernel():
        return kernel()(one, other, bias, kept, relu)
    made = torch.mm(one, other) if bias is None else torch.addmm(bias, one, other)
    if kept is not None:
        made = aten.threshold_backward(made, kept, 0)
    return torch.relu(made) if relu else made


def _is_small(one, other):
    if one is None or other is None:
        return False
    if one.dtype != torch.float32 or other.dtype != torch.float32:
        return False
    if torch.get_float32_matmul_precision() != "highest":
        return False  # with TF32 cuBLAS has the tensor cores, which the kernel leaves alone
    (rows, inner), columns = one.shape, other.shape[1]
    return inner <= _MAX_INNER_SIZE and rows * inner * columns <= _MAX_MULTIPLICATIONS


@torch.library.custom_op("ae_multi::small_product", mutates_args=())
def _small_product(
    one: torch.Tensor,
    other: torch.Tensor,
    bias: torch.Tensor | None,
    kept: torch.Tensor | None,
    relu: bool,
) -> torch.Tensor:
    return product(one, other, bias, kept, relu)


@_small_product.register_fake
def _(one, other, bias, kept, relu):
    return one.new_empty(one.shape[0], other.shape[1])
