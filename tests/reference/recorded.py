"""What functions of PyTorch give, and what their simplified recordings give."""


def simplified_recording(function, *inputs):
    """The simplified recording of ``function``."""
    from torch.fx.experimental.proxy_tensor import make_fx

    from ae_multi.backends.torch.graph_passes.simplify import simplified

    return simplified(make_fx(function)(*inputs))


def operations(module):
    """Names of the operations of a recording, those of other libraries than ATen among them."""
    return [str(node.target) for node in module.graph.nodes if node.op == "call_function"]


def recorded(function, *inputs):
    """(what ``function`` gives, what its simplified recording gives, names of its operations)."""
    made = simplified_recording(function, *inputs)
    names = [
        node.target.name().removeprefix("aten::")
        for node in made.graph.nodes
        if node.op == "call_function" and hasattr(node.target, "name")  # not Python's `getitem`
    ]
    return function(*inputs), made(*inputs), names


def on_fresh_inputs(function, *shapes):
    """What the simplified recording and the function give, which change their inputs."""
    import torch

    inputs = [torch.rand(shape) for shape in shapes]
    made = simplified_recording(function, *(each.clone() for each in inputs))
    return [run(*(each.clone() for each in inputs)) for run in (made, function)]
