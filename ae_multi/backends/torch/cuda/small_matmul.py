"""Products of small matrices fused with bias, activation and its gradient, on a GPU.

A step of a small network is a chain of products. Its time depends on the number of kernels and
their latency, not on the number of multiplications.
"""

import importlib.util
from collections.abc import Callable
from functools import cache

import torch

from ae_multi.backends.torch.graph_passes.nodes import quiet_between, replace, tensor_of

aten = torch.ops.aten
# Length of a sum and number of multiplications above which cuBLAS is faster (measured on an H200).
_MAX_INNER_SIZE, _MAX_MULTIPLICATIONS = 2**8, 2**24


def with_small_products(module: torch.fx.GraphModule) -> torch.fx.GraphModule:
    """Fuse each small product of a recording with the bias and activation that follow it.

    Args:
        module: a graph of ATen operations, which is changed in place. Its results stay the same up
            to rounding.
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
            fused = graph.call_function(operation, (*factors, bias, kept, relu))
        replace(last, fused)
        if last is not node:
            graph.erase_node(node)
    module.recompile()
    return module


@cache
def kernel() -> Callable[..., torch.Tensor] | None:
    """Return `kernels.multiply`, or None without Triton, a compiler or a supported GPU."""
    if not importlib.util.find_spec("triton"):
        return None
    try:
        from ae_multi.backends.torch.cuda.kernels import multiply

        one = torch.ones(1, 1, device="cuda")
        multiply(one, one)
    except Exception:  # Triton, its compiler and the driver raise various exceptions
        return None
    return multiply


def product(
    one: torch.Tensor,
    other: torch.Tensor,
    bias: torch.Tensor | None = None,
    kept: torch.Tensor | None = None,
    relu: bool = False,
) -> torch.Tensor:
    """Multiply two matrices and apply bias and activation, in one kernel where that is faster.

    Args:
        one: (rows, inner).
        other: (inner, columns).
        bias: vector that is added to each row, (columns,).
        kept: output of a ReLU, (rows, columns); the product is set to zero where it is not
            positive, as in the gradient of the ReLU.
        relu: whether a ReLU is applied to the product.
    """
    if one.is_cuda and _is_small(one, other) and (multiply := kernel()):
        return multiply(one, other, bias, kept, relu)
    result = torch.mm(one, other) if bias is None else torch.addmm(bias, one, other)
    if kept is not None:
        result = aten.threshold_backward(result, kept, 0)
    return torch.relu(result) if relu else result


def _is_small(one: torch.Tensor | None, other: torch.Tensor | None) -> bool:
    if one is None or other is None:
        return False
    if one.dtype != torch.float32 or other.dtype != torch.float32:
        return False
    if torch.get_float32_matmul_precision() != "highest":
        return False  # with TF32 cuBLAS uses tensor cores, and this kernel does not
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
