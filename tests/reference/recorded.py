"""Outputs and simplified traces of PyTorch functions."""


def simplified_recording(function, *inputs):
    """Return the simplified trace of ``function``."""
    from torch.fx.experimental.proxy_tensor import make_fx

    from ae_multi.backends.torch.graph_passes.simplify import simplified

    return simplified(make_fx(function)(*inputs))


def operations(module):
    """Return the names of the operations of a trace, of ATen and other libraries."""
    return [str(node.target) for node in module.graph.nodes if node.op == "call_function"]


def recorded(function, *inputs):
    """Return (outputs of ``function``, outputs of its simplified trace, names of operations)."""
    trace = simplified_recording(function, *inputs)
    names = [
        node.target.name().removeprefix("aten::")
        for node in trace.graph.nodes
        if node.op == "call_function" and hasattr(node.target, "name")  # not `getitem` of Python
    ]
    return function(*inputs), trace(*inputs), names


def on_fresh_inputs(function, *shapes):
    """Return the outputs of the simplified trace and of the function, on copies of inputs."""
    import torch

    inputs = [torch.rand(shape) for shape in shapes]
    trace = simplified_recording(function, *(each.clone() for each in inputs))
    return [run(*(each.clone() for each in inputs)) for run in (trace, function)]
