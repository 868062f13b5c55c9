"""Remove redundant operations from a recorded graph.

Keras supports several backends and automatic differentiation, which adds operations that a
handwritten step does not have: powers of 1, means over one element, separate additions of bias,
successive multiplications of a gradient by scalars. Each of these passes over a batch takes about
as long as a small matrix product.
"""

import operator
from typing import Any

import torch
from torch.fx.node import map_arg

from ae_multi.backends.torch.graph_passes.convolutions import laid_out
from ae_multi.backends.torch.graph_passes.nodes import (
    is_changing,
    replace,
    root,
    roots_of_changes,
    sums,
    tensor_of,
)

aten = torch.ops.aten
_MAX_CONSTANT_ELEMENTS = 2**16  # of a constant that is computed once and stored
_MAX_FACTOR = 2.0**64
_VIEWS = {aten.expand.default, aten.view.default, aten.unsqueeze.default, aten.squeeze.dims}


def simplified(module: torch.fx.GraphModule) -> torch.fx.GraphModule:
    """Simplify a recorded graph; results differ by no more than rounding.

    Args:
        module: a graph of ATen operations, which is changed in place.
    """
    graph = module.graph
    for node in list(graph.nodes):
        if node.target is aten.detach.default:
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
    changed = roots_of_changes(graph.nodes)
    for node in list(graph.nodes):
        same = _same(node)
        if same is not None and root(same) not in changed:
            replace(node, same)
    _fold_constants(module, changed)
    _join_bias(graph)
    _join_factors(graph, changed)
    laid_out(graph, changed)
    graph.eliminate_dead_code()
    module.recompile()
    return module


def _same(node):
    """Return a node that has the same value as ``node`` without its operation, or None."""
    output, source = tensor_of(node), tensor_of(node.args[0]) if node.args else None
    if output is None or source is None or output.dtype != source.dtype:
        return None
    by_one = {aten.pow.Tensor_Scalar, aten.mul.Scalar, aten.mul.Tensor, aten.div.Scalar,
              aten.div.Tensor}  # fmt: skip
    if node.target in by_one and type(node.args[1]) in (int, float) and node.args[1] == 1:
        return node.args[0]
    if node.target in (aten.expand.default, aten.view.default) and output.shape == source.shape:
        return node.args[0] if output.stride() == source.stride() else None
    if node.target in (aten.mean.dim, aten.sum.dim_IntList) and not node.kwargs:
        axes = node.args[1] or range(source.ndim)
        if all(source.shape[axis] == 1 for axis in axes) and output.ndim < source.ndim:
            with node.graph.inserting_before(node):
                return node.graph.call_function(aten.squeeze.dims, (node.args[0], list(axes)))
    return None


def _fold_constants(module: torch.fx.GraphModule, changed: set[torch.fx.Node]) -> None:
    """Compute operations once that depend on no input."""
    graph = module.graph
    known: dict[torch.fx.Node, Any] = {}
    for node in graph.nodes:
        if root(node) in changed:
            continue
        if node.op == "get_attr" and isinstance(getattr(module, node.target), torch.Tensor):
            known[node] = getattr(module, node.target)
        elif _is_constant(node) and all(argument in known for argument in node.all_input_nodes):
            args, kwargs = map_arg((node.args, node.kwargs), known.__getitem__)
            known[node] = node.target(*args, **kwargs)
    for node, value in known.items():
        used = any(user not in known for user in node.users)
        small = isinstance(value, torch.Tensor) and value.numel() <= _MAX_CONSTANT_ELEMENTS
        if node.op != "get_attr" and used and small:
            name = f"_folded_{node.name}"
            module.register_buffer(name, value)
            with graph.inserting_before(node):
                replace(node, graph.get_attr(name))


def _is_constant(node: torch.fx.Node) -> bool:
    """Return whether an operation is deterministic and has no side effects."""
    if node.target is operator.getitem:
        return True
    return (
        isinstance(node.target, torch._ops.OpOverload)
        and not is_changing(node)
        and torch.Tag.nondeterministic_seeded not in node.target.tags
        and "empty" not in node.target.name()
    )


def _join_bias(graph: torch.fx.Graph) -> None:
    """Fuse a matrix product and the addition of a bias."""
    for product, node in sums(graph, aten.mm.default):
        bias = node.args[1]
        added, output = tensor_of(bias), tensor_of(node)
        if added is not None and added.shape == output.shape[1:] and added.dtype == output.dtype:
            with graph.inserting_before(node):
                replace(node, graph.call_function(aten.addmm.default, (bias, *product.args)))


def _join_factors(graph: torch.fx.Graph, changed: set[torch.fx.Node]) -> None:
    """Multiply the scalar factors of an array with each other before they multiply the array."""
    for node in reversed(list(graph.nodes)):
        if _factor(node) is None or [user for user in node.users if _factor(user)]:
            continue  # no product, or its factor is joined with that of a later product
        base, factors = node, []
        while (pair := _factor(base)) and (base is node or len(base.users) == 1):
            base = pair[0]
            factors.append(pair[1])
        if len(factors) < 2 or root(base) in changed:
            continue
        number, tensors = 1.0, []
        for factor in factors:
            if isinstance(factor, torch.fx.Node):
                tensors.append(factor)
            else:
                number *= factor
        # The product of factors must not overflow or underflow float32 if the results do not.
        if len(tensors) > 1 or not 1 / _MAX_FACTOR < abs(number) < _MAX_FACTOR:
            continue
        with graph.inserting_before(node):
            if tensors:
                factor = tensors[0]
                if number != 1:
                    factor = graph.call_function(aten.mul.Tensor, (factor, number))
                    factor.meta.update(tensors[0].meta)
                output = graph.call_function(aten.mul.Tensor, (base, factor))
            else:
                output = graph.call_function(aten.mul.Scalar, (base, number))
        replace(node, output)


def _factor(node):
    """Return (array, number or scalar node) whose product ``node`` is, or None."""
    output = tensor_of(node)
    if output is None or output.ndim == 0 or not output.is_floating_point():
        return None
    pairs = []
    if node.target is aten.neg.default:
        pairs = [(node.args[0], -1.0)]
    elif node.target in (aten.mul.Scalar, aten.mul.Tensor):
        one, other = node.args
        pairs = [(one, other), (other, one)]
    elif node.target in (aten.div.Scalar, aten.div.Tensor) and _scalar(node.args[1]):
        divisor = _scalar(node.args[1])
        pairs = [(node.args[0], 1 / divisor)] if isinstance(divisor, float) else []
    for array, factor in pairs:
        source, scalar = tensor_of(array), _scalar(factor)
        if source is not None and source.shape == output.shape and source.dtype == output.dtype:
            if isinstance(scalar, torch.fx.Node) and tensor_of(scalar).dtype != output.dtype:
                continue
            if scalar is not None:
                return array, scalar
    return None


def _scalar(factor: Any) -> torch.fx.Node | float | None:
    """Return ``factor`` as a number or the node of a scalar, or None if it is an array."""
    if isinstance(factor, torch.fx.Node):
        while factor.target in _VIEWS:
            factor = factor.args[0]
        value = tensor_of(factor)
        return factor if value is not None and value.ndim == 0 else None
    return float(factor) if type(factor) in (int, float) else None
