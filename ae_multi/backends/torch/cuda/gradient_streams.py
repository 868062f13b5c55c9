"""Weight gradients on separate CUDA streams, in parallel with backpropagation.

A matrix product of a small network uses a fraction of a GPU, and backpropagation through the
layers is a chain of products. Only the optimizer depends on the products for the gradients of
kernels and on the sums for the gradients of biases. They therefore run on separate streams.
"""

import contextlib
import itertools
import operator
from collections.abc import Iterable, Iterator
from typing import Any

import torch

from ae_multi.backends.torch.cuda import small_matmul
from ae_multi.backends.torch.graph_passes.nodes import is_changing, root, roots_of_changes

aten = torch.ops.aten
_PRODUCTS = {
    aten.mm.default, aten.addmm.default, aten.bmm.default, aten.convolution.default,
    aten.convolution_backward.default,
}  # fmt: skip
# The large products of the first and last layers need more than two streams: a step takes 137 µs
# with two and 118 µs with four.
_MAX_STREAMS = 4


def use_gradient_streams(module: torch.fx.GraphModule) -> torch.fx.GraphModule:
    """Move the weight gradients of a recorded training step to separate streams.

    Args:
        module: a graph of ATen operations, which is changed in place. Its results stay the same.
            On a CPU the operations run as before.
    """
    graph = module.graph
    positions = {node: position for position, node in enumerate(graph.nodes)}
    required = _required_by_products(graph)
    products = [
        node for node in graph.nodes if node.target is aten.mm.default and node not in required
    ]
    if len(products) < 2:
        return module
    factors = dict.fromkeys(factor for product in products for factor in product.args)
    sums = [node for node in _sums_over_batch(factors) if node not in required]
    products = sorted([*products, *sums], key=positions.__getitem__)
    first = min((use for product in products for use in _uses(product)), key=positions.__getitem__)
    between = [*positions][positions[products[0]] : positions[first]]
    if not {*products} <= {*between} or roots_of_changes(between) & {*map(root, factors)}:
        return module
    gradients = {}  # products and their views, with the users that come after the join
    for product in products:
        for view in (product, *_views(product)):
            late = [user for user in view.users if positions[user] >= positions[first]]
            if positions[view] < positions[first] and late:
                gradients[view] = late
    for product in products:
        product.target = _SIDE_OPERATIONS[product.target]
    with graph.inserting_before(first):
        # The factors are arguments too, so that their memory is not reused before the join.
        zero = graph.call_function(torch.ops.ae_multi.zero_after.default, ([*products, *factors],))
        ready = graph.call_function(aten._foreach_add.Tensor, ([*gradients], zero))
        for index, (gradient, late) in enumerate(gradients.items()):
            joined = graph.call_function(operator.getitem, (ready, index))
            joined.meta.update(gradient.meta)
            gradient.replace_all_uses_with(joined, delete_user_cb=late.__contains__)
    module.recompile()
    return module


def _sums_over_batch(factors: Iterable[torch.fx.Node]) -> Iterator[torch.fx.Node]:
    """Yield the sums of factors over the batch, such as the gradients of biases."""
    for factor in factors:
        for node in factor.users:
            if node.target is aten.sum.dim_IntList and node.args[1:] == ([0], True):
                yield node


def _required_by_products(graph: torch.fx.Graph) -> set[torch.fx.Node]:
    """Return the nodes on which a matrix product depends."""
    required: set[torch.fx.Node] = set()
    for node in reversed(graph.nodes):
        if any(user in required or user.target in _PRODUCTS for user in node.users):
            required.add(node)
    return required


def _views(node: torch.fx.Node) -> Iterator[torch.fx.Node]:
    """Yield the views of a node's output, and views of these."""
    for user in node.users:
        if root(user) is not user and not is_changing(user):
            yield user
            yield from _views(user)


def _uses(node: torch.fx.Node) -> set[torch.fx.Node]:
    """Return the operations, other than views, that use a node's output or a view of it."""
    views = {*_views(node)}
    return {user for view in (node, *views) for user in view.users} - views


class _SideStreams:
    """CUDA streams that run in parallel with the current stream."""

    def __init__(self) -> None:
        self._streams: Iterator[torch.cuda.Stream] | None = None
        self._busy: list[torch.cuda.Stream] = []

    def next(self) -> torch.cuda.Stream:
        """Return a stream that waits for the work of the current stream so far."""
        if self._streams is None:
            self._streams = itertools.cycle([torch.cuda.Stream() for _ in range(_MAX_STREAMS)])
        stream = next(self._streams)
        stream.wait_stream(torch.cuda.current_stream())
        self._busy.append(stream)
        return stream

    def join(self) -> None:
        """Let the current stream wait for the streams that `next` returned."""
        # In a capture it is an error to wait for a stream that the capture does not include.
        for stream in dict.fromkeys(self._busy):
            torch.cuda.current_stream().wait_stream(stream)
        self._busy.clear()


_side_streams = _SideStreams()


def _on_side_stream(tensor: torch.Tensor) -> contextlib.AbstractContextManager:
    """Return a context that selects a side stream if ``tensor`` is on a GPU."""
    return torch.cuda.stream(_side_streams.next()) if tensor.is_cuda else contextlib.nullcontext()


@torch.library.custom_op("ae_multi::side_product", mutates_args=())
def _side_product(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Multiply two matrices on a side stream; the result is valid after `zero_after`."""
    with _on_side_stream(one):
        return small_matmul.product(one, other)


@_side_product.register_fake
def _(one, other):
    return one.new_empty(one.shape[0], other.shape[1])


@torch.library.custom_op("ae_multi::side_sum", mutates_args=())
def _side_sum(tensor: torch.Tensor, axes: list[int], keep: bool) -> torch.Tensor:
    """Sum over axes on a side stream; the result is valid after `zero_after`."""
    with _on_side_stream(tensor):
        return tensor.sum(axes, keep)


@_side_sum.register_fake
def _(tensor, axes, keep):
    return tensor.sum(axes, keep)


_SIDE_OPERATIONS: dict[Any, Any] = {
    aten.mm.default: torch.ops.ae_multi.side_product.default,
    aten.sum.dim_IntList: torch.ops.ae_multi.side_sum.default,
}


@torch.library.custom_op("ae_multi::zero_after", mutates_args=())
def _zero_after(tensors: list[torch.Tensor]) -> torch.Tensor:
    """Join the side streams and return zero; operations that use the zero run after the join."""
    if tensors[0].is_cuda:
        _side_streams.join()
    return tensors[0].new_zeros(())


@_zero_after.register_fake
def _(tensors):
    return tensors[0].new_empty(())
