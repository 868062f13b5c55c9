"""A recorded graph without what nobody would write by hand.

Keras is written for every backend and for gradients to be taken automatically, and a recording
shows it: powers of 1, means over one number, bias added in a pass of its own, a gradient
multiplied by one number after another in passes over all of it. Each pass over a batch costs
about as much as a small matrix product.
"""

import operator

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
_MAX_CONSTANT_ELEMENTS = 2**16  # elements of a constant that is computed once and kept
_MAX_FACTOR = 2.0**64
_VIEWS = {aten.expand.default, aten.view.default, aten.unsqueeze.default, aten.squeeze.dims}


def simplified(module):
    """The same recording with less to do; results differ by no more than rounding.

    Args:
        module: a `torch.fx.GraphModule` of ATen operations; it is changed.
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
    """The node or the view that gives what ``node`` computes, or None."""
    made, given = tensor_of(node), tensor_of(node.args[0]) if node.args else None
    if made is None or given is None or made.dtype != given.dtype:
        return None
    by_one = {aten.pow.Tensor_Scalar, aten.mul.Scalar, aten.mul.Tensor, aten.div.Scalar,
              aten.div.Tensor}  # fmt: skip
    if node.target in by_one and type(node.args[1]) in (int, float) and node.args[1] == 1:
        return node.args[0]
    if node.target in (aten.expand.default, aten.view.default) and made.shape == given.shape:
        return node.args[0] if made.stride() == given.stride() else None
    if node.target in (aten.mean.dim, aten.sum.dim_IntList) and not node.kwargs:
        axes = node.args[1] or range(given.ndim)
        if all(given.shape[axis] == 1 for axis in axes) and made.ndim < given.ndim:
            with node.graph.inserting_before(node):
                return node.graph.call_function(aten.squeeze.dims, (node.args[0], list(axes)))
    return None


def _fold_constants(module, changed):
    """Compute once what depends on no argument."""
    graph, known = module.graph, {}
    for node in graph.nodes:
        if root(node) in changed:
            continue
        if node.op == "get_attr" and isinstance(getattr(module, node.target), torch.Tensor):
            known[node] = getattr(module, node.target)
        elif _is_constant(node) and all(given in known for given in node.all_input_nodes):
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


def _is_constant(node):
    """Whether an operation gives the same each time that it is given the same."""
    if node.target is operator.getitem:
        return True
    return (
        isinstance(node.target, torch._ops.OpOverload)
        and not is_changing(node)
        and torch.Tag.nondeterministic_seeded not in node.target.tags
        and "empty" not in node.target.name()
    )


def _join_bias(graph):
    """A product and the bias added to it as one operation."""
    for product, node in sums(graph, aten.mm.default):
        bias = node.args[1]
        added, made = tensor_of(bias), tensor_of(node)
        if added is not None and added.shape == made.shape[1:] and added.dtype == made.dtype:
            with graph.inserting_before(node):
                replace(node, graph.call_function(aten.addmm.default, (bias, *product.args)))


def _join_factors(graph, changed):
    """Factors of a whole array multiplied with each other first."""
    for node in reversed(list(graph.nodes)):
        if _factor(node) is None or [user for user in node.users if _factor(user)]:
            continue  # none, or one that is joined with what follows
        base, factors = node, []
        while (found := _factor(base)) and (base is node or len(base.users) == 1):
            base = found[0]
            factors.append(found[1])
        if len(factors) < 2 or root(base) in changed:
            continue
        number, tensors = 1.0, []
        for factor in factors:
            if isinstance(factor, torch.fx.Node):
                tensors.append(factor)
            else:
                number *= factor
        # The product of factors must not leave float32's range where the results do not.
        if len(tensors) > 1 or not 1 / _MAX_FACTOR < abs(number) < _MAX_FACTOR:
            continue
        with graph.inserting_before(node):
            if tensors:
                whole = tensors[0]
                if number != 1:
                    whole = graph.call_function(aten.mul.Tensor, (whole, number))
                    whole.meta.update(tensors[0].meta)
                made = graph.call_function(aten.mul.Tensor, (base, whole))
            else:
                made = graph.call_function(aten.mul.Scalar, (base, number))
        replace(node, made)


def _factor(node):
    """(array, number or scalar node) whose product ``node`` is, or None."""
    made = tensor_of(node)
    if made is None or made.ndim == 0 or not made.is_floating_point():
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
        given, scalar = tensor_of(array), _scalar(factor)
        if given is not None and given.shape == made.shape and given.dtype == made.dtype:
            if isinstance(scalar, torch.fx.Node) and tensor_of(scalar).dtype != made.dtype:
                continue
            if scalar is not None:
                return array, scalar
    return None


def _scalar(factor):
    """``factor`` as a number or as the node of one, or None where it is an array."""
    if isinstance(factor, torch.fx.Node):
        while factor.target in _VIEWS:
            factor = factor.args[0]
        value = tensor_of(factor)
        return factor if value is not None and value.ndim == 0 else None
    return float(factor) if type(factor) in (int, float) else None
