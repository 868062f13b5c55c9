"""Convolutions of a recorded graph, without the passes that Keras puts around them.

Keras's samples have their channels last, PyTorch's convolutions are told that they come first,
and both may lie in memory as either. On a CPU a convolution takes them as they lie, but Keras
asks for copies in one layout and then the other, and adds bias in a pass of its own.
"""

import math

import torch

from ae_multi.backends.torch.graph_passes.nodes import is_on_cpu, replace, root, sums, tensor_of

aten = torch.ops.aten
_CONVOLUTION, _BACKWARD = aten.convolution.default, aten.convolution_backward.default
_CLONE, _PERMUTE = aten.clone.default, aten.permute.default
_VIEWS = {aten.view.default, aten._unsafe_view.default}
_TRANSPOSED = 6  # the place of that argument of a convolution
# Matrices of patches are as many times as large as images as a kernel has places. Past so many
# bytes a convolution stays.
_MAX_PATCH_BYTES = 2**26


def laid_out(graph, changed):
    """Take such passes out of a graph.

    Args:
        graph: a `torch.fx.Graph` of ATen operations; it is changed. What its nodes say of
            layouts in memory may not hold any more.
        changed: nodes whose memory some operation changes in place.
    """
    _drop_copies(graph, changed)
    if not is_on_cpu(graph):  # what follows was measured there alone
        return
    _join_bias(graph)
    _take_as_it_lies(graph, changed)
    _to_one_channel(graph)
    _kernel_of_one_channel(graph)


def _drop_copies(graph, changed):
    """Leave out copies of copies, and those that lie as what they are copies of."""
    for node in list(graph.nodes):
        if not _is_layout(node) or {root(node), root(node.args[0])} & changed:
            continue
        if _is_layout(node.args[0]) and root(node.args[0].args[0]) not in changed:
            node.args = node.args[0].args
        made, given = tensor_of(node), tensor_of(node.args[0])
        given_out = any(user.op == "output" for user in node.users)
        if given is not None and made.stride() == given.stride() and not given_out:
            replace(node, node.args[0])


def _is_layout(node):
    """Whether a node is a copy that is to lie in memory in a certain way."""
    return node.target is _CLONE and "memory_format" in node.kwargs


def _join_bias(graph):
    """A convolution and the bias added to it as one operation.

    Not transposed ones: with a bias PyTorch takes twice as long for them on a CPU.
    """
    for made, node in sums(graph, _CONVOLUTION, through={_PERMUTE}):
        moved, bias = node.args
        array = tensor_of(made)
        if made.args[2] is not None or made.args[_TRANSPOSED]:
            continue
        bias = _channels(bias, moved, made)
        if bias is None or tensor_of(bias).dtype != array.dtype:
            continue
        with graph.inserting_before(node):
            args = (*made.args[:2], bias, *made.args[3:])
            other = graph.call_function(_CONVOLUTION, args)
            other.meta.update(made.meta)
            if moved is not made:
                other = graph.call_function(_PERMUTE, (other, *moved.args[1:]))
            replace(node, other)


def _channels(bias, moved, convolution):
    """The node of a number for each channel that ``bias`` was made of, or None.

    Args:
        bias: what is added.
        moved: what it is added to: the convolution, or the same with its axes in other places.
        convolution: node whose second axis is that of the channels.
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
    source = bias.args[0]
    given = tensor_of(source)
    fits = list(added.shape) == shape and given is not None and given.shape == array.shape[1:2]
    return source if fits else None


def _take_as_it_lies(graph, changed):
    """Convolutions of what lies with its channels last, without a copy that has them first.

    What comes out lies otherwise, too, so that what was a view before may have to be a copy.
    """
    if any(node.target is aten.as_strided.default for node in graph.nodes):
        return
    found = False
    for node in list(graph.nodes):
        if node.target is not _CLONE or not _is_only_convolved(node):
            continue
        given = tensor_of(node.args[0])
        if given is None or given.ndim != 4:
            continue
        last = given.is_contiguous(memory_format=torch.channels_last)
        if last and not {root(node), root(node.args[0])} & changed:
            replace(node, node.args[0])
            found = True
    for node in graph.nodes if found else ():
        if node.target in _VIEWS and root(node) not in changed:
            node.target = aten.reshape.default


def _is_only_convolved(node):
    """Whether nothing but convolutions and their gradients take a node, and as their input."""
    places = {_CONVOLUTION: 0, _BACKWARD: 1}
    return bool(node.users) and all(
        user.target in places
        and [place for place, given in enumerate(user.args) if given is node]
        == [places[user.target]]
        for user in node.users
    )


def _to_one_channel(graph):
    """Transposed convolutions to a single channel as a product of matrices.

    It gives what each number of the input adds to each of the output, which `col2im` sums up;
    PyTorch's own take about twice as long.
    """
    for node in list(graph.nodes):
        if node.target is not _CONVOLUTION or not node.args[_TRANSPOSED]:
            continue
        x, kernel, bias, stride, padding, dilation, *_, groups = node.args
        given, weight, made = tensor_of(x), tensor_of(kernel), tensor_of(node)
        if bias is not None or groups != 1 or given.ndim != 4 or made.shape[1] != 1:
            continue
        if _is_large(given.shape, weight):
            continue
        samples, channels = given.shape[:2]
        with graph.inserting_before(node):
            kernel = graph.call_function(aten.reshape.default, (kernel, [channels, -1]))
            kernel = graph.call_function(aten.t.default, (kernel,))
            x = graph.call_function(aten.reshape.default, (x, [samples, channels, -1]))
            parts = graph.call_function(aten.matmul.default, (kernel, x))
            args = parts, list(made.shape[2:]), list(weight.shape[2:]), dilation, padding, stride
            replace(node, graph.call_function(aten.col2im.default, args))


def _kernel_of_one_channel(graph):
    """The gradient for the kernel of a convolution of a single channel as products of matrices.

    They are patches of the images times the gradient of the output; PyTorch's own takes twice as
    long.
    """
    for node in list(graph.nodes):
        if node.target is not _BACKWARD:
            continue
        gradient, x, kernel, _, stride, padding, dilation, transposed, _, groups, required = (
            node.args
        )
        given, weight = tensor_of(x), tensor_of(kernel)
        if transposed or groups != 1 or list(required) != [False, True, False]:
            continue
        if given.ndim != 4 or given.shape[1] != 1:
            continue
        users = [user for user in node.users if user.users and user.args[1] == 1]
        if len(users) != 1 or _is_large(tensor_of(gradient).shape, weight):
            continue
        user = users[0]  # what takes the kernel's out of the three
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
            made = graph.call_function(aten.reshape.default, (summed, [channels, 1, *size]))
            replace(user, made)


def _is_large(shape, kernel):
    """Whether the patches at the places of images of this shape take too much memory."""
    places = shape[0] * math.prod(shape[2:]) * math.prod(kernel.shape[2:])
    return places * kernel.element_size() > _MAX_PATCH_BYTES
