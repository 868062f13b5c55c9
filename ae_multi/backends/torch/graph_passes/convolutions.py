"""Remove the passes over a batch that Keras adds around convolutions.

Samples in Keras have their channels last, and the shapes of PyTorch's convolutions have them first.
On a CPU a convolution supports both layouts in memory, but Keras requests copies in one layout and
then the other, and adds the bias in a separate pass.
"""

import math
from typing import Any

import torch

from ae_multi.backends.torch.graph_passes.nodes import is_on_cpu, replace, root, sums, tensor_of

aten = torch.ops.aten
_CONVOLUTION, _BACKWARD = aten.convolution.default, aten.convolution_backward.default
_CLONE, _PERMUTE = aten.clone.default, aten.permute.default
_VIEWS = {aten.view.default, aten._unsafe_view.default}
_TRANSPOSED = 6  # index of the argument "transposed" of a convolution
# A matrix of patches is larger than the images by the number of kernel positions. Above this size
# the convolution is not replaced.
_MAX_PATCH_BYTES = 2**26


def laid_out(graph: torch.fx.Graph, changed: set[torch.fx.Node]) -> None:
    """Remove redundant copies and passes around convolutions from a graph.

    Args:
        graph: a graph of ATen operations, which is changed in place. The memory layouts in the
            metadata of its nodes may be wrong afterwards.
        changed: nodes whose memory some operation changes in place.
    """
    _drop_copies(graph, changed)
    if not is_on_cpu(graph):  # the other passes were measured on CPUs only
        return
    _join_bias(graph)
    _drop_layout_changes(graph, changed)
    _to_one_channel(graph)
    _kernel_of_one_channel(graph)


def _drop_copies(graph: torch.fx.Graph, changed: set[torch.fx.Node]) -> None:
    """Remove copies of copies, and copies in the layout of their source."""
    for node in list(graph.nodes):
        if not _is_layout(node) or {root(node), root(node.args[0])} & changed:
            continue
        if _is_layout(node.args[0]) and root(node.args[0].args[0]) not in changed:
            node.args = node.args[0].args
        output, source = tensor_of(node), tensor_of(node.args[0])
        is_output = any(user.op == "output" for user in node.users)
        if source is not None and output.stride() == source.stride() and not is_output:
            replace(node, node.args[0])


def _is_layout(node: torch.fx.Node) -> bool:
    """Return whether a node is a copy that requests a memory layout."""
    return node.target is _CLONE and "memory_format" in node.kwargs


def _join_bias(graph: torch.fx.Graph) -> None:
    """Fuse a convolution and the addition of a bias.

    Transposed convolutions are excluded: with a bias they take twice as long on a CPU.
    """
    for convolution, node in sums(graph, _CONVOLUTION, through={_PERMUTE}):
        moved, bias = node.args
        array = tensor_of(convolution)
        if convolution.args[2] is not None or convolution.args[_TRANSPOSED]:
            continue
        bias = _channels(bias, moved, convolution)
        if bias is None or tensor_of(bias).dtype != array.dtype:
            continue
        with graph.inserting_before(node):
            args = (*convolution.args[:2], bias, *convolution.args[3:])
            other = graph.call_function(_CONVOLUTION, args)
            other.meta.update(convolution.meta)
            if moved is not convolution:
                other = graph.call_function(_PERMUTE, (other, *moved.args[1:]))
            replace(node, other)


def _channels(bias: Any, moved: Any, convolution: torch.fx.Node) -> torch.fx.Node | None:
    """Return the node with one number per channel of which ``bias`` is a view, or None.

    Args:
        bias: node that is added.
        moved: node that it is added to: the convolution, or a permutation of its axes.
        convolution: node whose second axis has the channels.
    """
    added, array = tensor_of(bias), tensor_of(convolution)
    if added is None or getattr(bias, "target", None) is not aten.view.default:
        return None
    if moved is convolution:
        axes = range(array.ndim)
    elif moved.args[0] is convolution:
        axes = moved.args[1]
    else:
        return None
    shape = [array.shape[1] if axis == 1 else 1 for axis in axes]
    viewed = bias.args[0]
    source = tensor_of(viewed)
    fits = list(added.shape) == shape and source is not None and source.shape == array.shape[1:2]
    return viewed if fits else None


def _drop_layout_changes(graph: torch.fx.Graph, changed: set[torch.fx.Node]) -> None:
    """Remove copies to channels first of inputs that have their channels last in memory.

    The layout of the output changes too, so that some views have to become copies.
    """
    if any(node.target is aten.as_strided.default for node in graph.nodes):
        return
    has_changed = False
    for node in list(graph.nodes):
        if node.target is not _CLONE or not _is_only_convolved(node):
            continue
        source = tensor_of(node.args[0])
        if source is None or source.ndim != 4:
            continue
        last = source.is_contiguous(memory_format=torch.channels_last)
        if last and not {root(node), root(node.args[0])} & changed:
            replace(node, node.args[0])
            has_changed = True
    for node in graph.nodes if has_changed else ():
        if node.target in _VIEWS and root(node) not in changed:
            node.target = aten.reshape.default


def _is_only_convolved(node: Any) -> bool:
    """Return whether a node is used only as the input of convolutions and their gradients."""
    input_index = {_CONVOLUTION: 0, _BACKWARD: 1}
    return bool(node.users) and all(
        user.target in input_index
        and [index for index, argument in enumerate(user.args) if argument is node]
        == [input_index[user.target]]
        for user in node.users
    )


def _to_one_channel(graph: torch.fx.Graph) -> None:
    """Replace transposed convolutions to a single channel by matrix products.

    The product has the contribution of each input element to each output element, and `col2im`
    sums the contributions. PyTorch's transposed convolution takes about twice as long.
    """
    for node in list(graph.nodes):
        if node.target is not _CONVOLUTION or not node.args[_TRANSPOSED]:
            continue
        x, kernel, bias, stride, padding, dilation, *_, groups = node.args
        source, weight, output = tensor_of(x), tensor_of(kernel), tensor_of(node)
        if bias is not None or groups != 1 or source.ndim != 4 or output.shape[1] != 1:
            continue
        if _is_large(source.shape, weight):
            continue
        samples, channels = source.shape[:2]
        with graph.inserting_before(node):
            kernel = graph.call_function(aten.reshape.default, (kernel, [channels, -1]))
            kernel = graph.call_function(aten.t.default, (kernel,))
            x = graph.call_function(aten.reshape.default, (x, [samples, channels, -1]))
            products = graph.call_function(aten.matmul.default, (kernel, x))
            args = (
                products,
                list(output.shape[2:]),
                list(weight.shape[2:]),
                dilation,
                padding,
                stride,
            )
            replace(node, graph.call_function(aten.col2im.default, args))


def _kernel_of_one_channel(graph: torch.fx.Graph) -> None:
    """Replace the kernel gradient of convolutions of a single channel by matrix products.

    The factors are patches of the images and the gradient of the output. PyTorch's gradient takes
    twice as long.
    """
    for node in list(graph.nodes):
        if node.target is not _BACKWARD:
            continue
        gradient, x, kernel, _, stride, padding, dilation, transposed, _, groups, required = (
            node.args
        )
        source, weight = tensor_of(x), tensor_of(kernel)
        if transposed or groups != 1 or list(required) != [False, True, False]:
            continue
        if source.ndim != 4 or source.shape[1] != 1:
            continue
        users = [user for user in node.users if user.users and user.args[1] == 1]
        if len(users) != 1 or _is_large(tensor_of(gradient).shape, weight):
            continue
        user = users[0]  # the node that selects the kernel's gradient
        samples, channels = tensor_of(gradient).shape[:2]
        with graph.inserting_before(user):
            size = list(weight.shape[2:])
            args = x, size, dilation, padding, stride
            patches = graph.call_function(aten.im2col.default, args)
            rows = graph.call_function(_PERMUTE, (gradient, [0, 2, 3, 1]))
            rows = graph.call_function(aten.reshape.default, (rows, [samples, -1, channels]))
            products = graph.call_function(aten.bmm.default, (patches, rows))
            summed = graph.call_function(aten.sum.dim_IntList, (products, [0]))
            summed = graph.call_function(aten.t.default, (summed,))
            result = graph.call_function(aten.reshape.default, (summed, [channels, 1, *size]))
            replace(user, result)


def _is_large(shape: torch.Size, kernel: torch.Tensor) -> bool:
    """Return whether patches of all positions of images of ``shape`` need too much memory."""
    positions = shape[0] * math.prod(shape[2:]) * math.prod(kernel.shape[2:])
    return positions * kernel.element_size() > _MAX_PATCH_BYTES
