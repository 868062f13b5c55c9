"""Queries about nodes of a recorded graph: outputs, shared memory, in-place changes."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

import torch
from torch.fx.node import map_arg


def is_changing(node: torch.fx.Node) -> bool:
    """Return whether an operation changes one of its arguments in place."""
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def root(node: torch.fx.Node) -> torch.fx.Node:
    """Return the node whose memory ``node`` is a view of, or ``node`` itself."""
    while isinstance(node.target, torch._ops.OpOverload) and node.args:
        first = node.target._schema.arguments[0]
        if first.alias_info is None or not isinstance(node.args[0], torch.fx.Node):
            return node
        node = node.args[0]
    return node


def roots_of_changes(nodes: Iterable[torch.fx.Node]) -> set[torch.fx.Node]:
    """Return the nodes whose memory is changed in place by the operations ``nodes``."""
    changed: set[torch.fx.Node] = set()
    for node in filter(is_changing, nodes):
        target: Any = node.target
        for argument, value in zip(target._schema.arguments, node.args, strict=False):
            if argument.alias_info is not None and argument.alias_info.is_write:
                map_arg(value, lambda source: changed.add(root(source)))
    return changed


def tensor_of(node: Any) -> Any:
    """Return the fake tensor with the shape, dtype and layout of a node's output, or None."""
    value = node.meta.get("val") if isinstance(node, torch.fx.Node) else None
    return value if isinstance(value, torch.Tensor) else None


def is_on_cpu(graph: torch.fx.Graph) -> bool:
    """Return whether all inputs of a graph are in CPU memory."""
    inputs = [tensor_of(node) for node in graph.nodes if node.op == "placeholder"]
    return all(tensor is None or tensor.device.type == "cpu" for tensor in inputs)


def sums(
    graph: torch.fx.Graph, target: Any, through: Collection[Any] = ()
) -> list[tuple[Any, Any]]:
    """Find additions to the result of an operation that has no other use.

    Args:
        graph: the graph.
        target: the operation.
        through: operations that may come between the operation and the addition.

    Returns:
        List of (node of ``target``, node of the addition). The first argument of the addition
        leads to the node of ``target``. No operation between them changes anything in place.
    """
    quiet, pairs = quiet_between(graph), []
    for node in graph.nodes:
        if node.target is not torch.ops.aten.add.Tensor or node.kwargs:
            continue
        source = node.args[0]
        while getattr(source, "target", None) in through and len(source.users) == 1:
            source = source.args[0]
        if getattr(source, "target", None) is not target or len(source.users) != 1:
            continue
        if quiet(source, node):
            pairs.append((source, node))
    return pairs


def quiet_between(graph: torch.fx.Graph) -> Callable[[torch.fx.Node, torch.fx.Node], bool]:
    """Return a function of two nodes: whether no operation between them changes data in place."""
    positions = {node: position for position, node in enumerate(graph.nodes)}
    changes = [position for node, position in positions.items() if is_changing(node)]
    return lambda one, other: not any(positions[one] < at < positions[other] for at in changes)


def replace(node: torch.fx.Node, other: torch.fx.Node) -> None:
    """Replace all uses of ``node`` by ``other``, and erase ``node``."""
    if "val" not in other.meta:
        other.meta.update(node.meta)
    node.replace_all_uses_with(other)
    node.graph.erase_node(node)
