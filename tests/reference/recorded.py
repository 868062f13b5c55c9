"""Outputs and simplified traces of PyTorch functions."""


def simplified_recording(function, *inputs):
    """The simplified trace of ``function``."""
    from torch.fx.experimental.proxy_tensor import make_fx

    from ae_multi.backends.torch.graph_passes.simplify import simplified

    return simplified(make_fx(function)(*inputs))


def operations(module):
    """Names of the operations of a trace, of ATen and other libraries."""
    return [str(node.target) for node in module.graph.nodes if node.op == "call_function"]


def recorded(function, *inputs):
    """(outputs of ``function``, outputs of its simplified trace, names of its operations)."""
    made = simplified_recording(function, *inputs)
    names = [
        node.target.name().removeprefix("aten::")
        for node in made.graph.nodes
        if node.op == "call_function" and hasattr(node.target, "name")  # not `getitem` of Python
    ]
    return function(*inputs), made(*inputs), names


def on_fresh_inputs(function, *shapes):
    """Outputs of the simplified trace and of the function, each on its own copy of the inputs."""
    import torch

    inputs = [torch.rand(shape) for shape in shapes]
    made = simplified_recording(function, *(each.clone() for each in inputs))
    return [run(*(each.clone() for each in inputs)) for run in (made, function)]
