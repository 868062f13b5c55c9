"""Gradients of weights computed beside the way back through the layers, on a GPU.

A product of a small network keeps a fraction of a GPU busy, and the way back through the layers is
one product after another. For the products that make the kernels' gradients, and the sums that make
the biases', nobody waits but the optimizer; so they run on streams of their own.
"""

import contextlib
import itertools
import operator

import torch

from ae_multi.backends.torch.cuda import small_matmul
from ae_multi.backends.torch.graph_passes.nodes import is_changing, root, roots_of_changes

aten = torch.ops.aten
_PRODUCTS = {
    aten.mm.default, aten.addmm.default, aten.bmm.default, aten.convolution.default,
    aten.convolution_backward.default,
}  # fmt: skip
# Two would keep up with the way back, but for the large products at its ends (137 to 118 µs).
_MAX_STREAMS = 4


def gradients_beside(module):
    """The recording of a training step, with weights' gradients on streams of their own.

    Args:
        module: a `torch.fx.GraphModule` of ATen operations; it is changed. What it computes stays
            the same, and on a processor also how.
    """
    graph = module.graph
    places = {node: place for place, node in enumerate(graph.nodes)}
    leads = _leading(graph)
    products = [
        node for node in graph.nodes if node.target is aten.mm.default and node not in leads
    ]
    if len(products) < 2:
        return module
    factors = dict.fromkeys(factor for product in products for factor in product.args)
    sums = [node for node in _sums_over_batch(factors) if node not in leads]
    products = sorted([*products, *sums], key=places.get)
    first = min((use for product in products for use in _uses(product)), key=places.get)
    meanwhile = [*places][places[products[0]] : places[first]]
    if not {*products} <= {*meanwhile} or roots_of_changes(meanwhile) & {*map(root, factors)}:
        return module
    gradients = {}  # products and views of them: by whom each is used, once all are multiplied
    for product in products:
        for seen in (product, *_views(product)):
            late = [user for user in seen.users if places[user] >= places[first]]
            if places[seen] < places[first] and late:
                gradients[seen] = late
    for product in products:
        product.target = _BESIDE[product.target]
    with graph.inserting_before(first):
        # The factors are named as well, so that their memory is theirs until all are multiplied.
        zero = graph.call_function(torch.ops.ae_multi.zero_after.default, ([*products, *factors],))
        ready = graph.call_function(aten._foreach_add.Tensor, ([*gradients], zero))
        for place, (gradient, late) in enumerate(gradients.items()):
            made = graph.call_function(operator.getitem, (ready, place))
            made.meta.update(gradient.meta)
            gradient.replace_all_uses_with(made, delete_user_cb=late.__contains__)
    module.recompile()
    return module


def _sums_over_batch(factors):
    """Sums of what is multiplied, as a bias's gradient is one."""
    for factor in factors:
        for node in factor.users:
            if node.target is aten.sum.dim_IntList and node.args[1:] == ([0], True):
                yield node


def _leading(graph):
    """Nodes that some product of matrices needs."""
    leads = set()
    for node in reversed(graph.nodes):
        if any(user in leads or user.target in _PRODUCTS for user in node.users):
            leads.add(node)
    return leads


def _views(node):
    """Views of what a node gives, and views of these."""
    for user in node.users:
        if root(user) is not user and not is_changing(user):
            yield user
            yield from _views(user)


def _uses(node):
    """Operations that use what a node gives, or a view of it, for more than another view."""
    views = {*_views(node)}
    return {user for seen in (node, *views) for user in seen.users} - views


class _Side:
    """Streams beside the current one."""

    def __init__(self):
        self._streams, self._busy = None, []

    def next(self):
        """A stream that has waited for what is done so far."""
        if self._streams is None:
            self._streams = itertools.cycle([torch.cuda.Stream() for _ in range(_MAX_STREAMS)])
        stream = next(self._streams)
        stream.wait_stream(torch.cuda.current_stream())
        self._busy.append(stream)
        return stream

    def join(self):
        """Let the current stream wait for those that were given out."""
        # A stream that a capture has not seen must not be waited for in it.
        for stream in dict.fromkeys(self._busy):
            torch.cuda.current_stream().wait_stream(stream)
        self._busy.clear()


_side = _Side()


def _beside(tensor):
    """Where what is computed of ``tensor`` runs beside: a context."""
    return torch.cuda.stream(_side.next()) if tensor.is_cuda else contextlib.nullcontext()


@torch.library.custom_op("ae_multi::product_beside", mutates_args=())
def _product_beside(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """The product of two matrices; not to be used before `zero_after` has it."""
    with _beside(one):
        return small_matmul.product(one, other)


@_product_beside.register_fake
def _(one, other):
    return one.new_empty(one.shape[0], other.shape[1])


@torch.library.custom_op("ae_multi::sum_beside", mutates_args=())
def _sum_beside(tensor: torch.Tensor, axes: list[int], keep: bool) -> torch.Tensor:
    """The sum over axes; as `product_beside`."""
    with _beside(tensor):
        return tensor.sum(axes, keep)


@_sum_beside.register_fake
def _(tensor, axes, keep):
    return tensor.sum(axes, keep)


_BESIDE = {
    aten.mm.default: torch.ops.ae_multi.product_beside.default,
    aten.sum.dim_IntList: torch.ops.ae_multi.sum_beside.default,
}


@torch.library.custom_op("ae_multi::zero_after", mutates_args=())
def _zero_after(tensors: list[torch.Tensor]) -> torch.Tensor:
    """Zero, once all that is computed beside is there; what is added to it is, too."""
    if tensors[0].is_cuda:
        _side.join()
    return tensors[0].new_zeros(())


@_zero_after.register_fake
def _(tensors):
    return tensors[0].new_empty(())
