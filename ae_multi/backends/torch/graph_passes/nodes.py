"""Nodes of a recorded graph: what they give, and what shares memory with what."""

import torch
from torch.fx.node import map_arg


def is_changing(node):
    """Whether an operation changes one of its arguments in place."""
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def root(node):
    """The node whose memory ``node`` is a view of, or itself."""
    while isinstance(node.target, torch._ops.OpOverload) and node.args:
        first = node.target._schema.arguments[0]
        if first.alias_info is None or not isinstance(node.args[0], torch.fx.Node):
            return node
        node = node.args[0]
    return node


def roots_of_changes(nodes):
    """Nodes whose memory some of the operations ``nodes`` change in place."""
    changed = set()
    for node in filter(is_changing, nodes):
        for argument, value in zip(node.target._schema.arguments, node.args, strict=False):
            if argument.alias_info is not None and argument.alias_info.is_write:
                map_arg(value, lambda found: changed.add(root(found)))
    return changed


def tensor_of(node):
    """What a node gives, as far as shape, type and layout go, or None."""
    value = node.meta.get("val") if isinstance(node, torch.fx.Node) else None
    return value if isinstance(value, torch.Tensor) else None


def is_on_cpu(graph):
    """Whether all that a recording is given lies in a processor's memory."""
    given = [tensor_of(node) for node in graph.nodes if node.op == "placeholder"]
    return all(tensor is None or tensor.device.type == "cpu" for tensor in given)


def sums(graph, target, through=()):
    """Where to the result of an operation something is added, and nothing else is done with it.

    Args:
        graph: a `torch.fx.Graph`.
        target: the operation.
        through: operations that may come in between.

    Returns:
        List of (node of ``target``, node of the sum, whose first argument leads to the other).
        What is in between changes nothing in place.
    """
    quiet, found = quiet_between(graph), []
    for node in graph.nodes:
        if node.target is not torch.ops.aten.add.Tensor or node.kwargs:
            continue
        made = node.args[0]
        while getattr(made, "target", None) in through and len(made.users) == 1:
            made = made.args[0]
        if getattr(made, "target", None) is not target or len(made.users) != 1:
            continue
        if quiet(made, node):
            found.append((made, node))
    return found


def quiet_between(graph):
    """Function of two nodes that says whether nothing between them changes anything in place."""
    places = {node: place for place, node in enumerate(graph.nodes)}
    changes = [place for node, place in places.items() if is_changing(node)]
    return lambda one, other: not any(places[one] < at < places[other] for at in changes)


def replace(node, other):
    """Let ``other`` stand where ``node`` stood."""
    if "val" not in other.meta:
        other.meta.update(node.meta)
    node.replace_all_uses_with(other)
    node.graph.erase_node(node)
