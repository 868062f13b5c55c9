"""PyTorch: the device and its settings, and gradients."""

import torch


def version():
    """PyTorch's version."""
    return torch.__version__


def device():
    """The device that Keras's torch backend computes on: a GPU if there is one."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    if torch.backends.mps.is_available():
        return "Apple GPU (mps)"
    return f"cpu ({torch.get_num_threads()} threads)"


def on_cpu():
    """Whether that is the processor."""
    return not torch.cuda.is_available() and not torch.backends.mps.is_available()


def full_precision():
    """Turn TF32 off; PyTorch has it on for convolutions."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def allow_tf32():
    """Turn TF32 on, for matrix products and convolutions."""
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True


def keep_programs(folder):
    """Nothing to do: Inductor keeps what it compiles by itself."""


def compile_soon():
    """Nothing to leave out: what is not recorded is not compiled."""


def wait():
    """Return when the device has finished."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def allow_float64():
    """Nothing to switch: PyTorch computes in the type that it is given."""


def gradients(function, variables):
    """The value of ``function()`` and its gradient for each Keras variable, as NumPy arrays."""
    value = function()
    tensors = [variable.value for variable in variables]
    # Without a variable there is nothing to differentiate by, which PyTorch takes for a mistake.
    found = torch.autograd.grad(value, tensors, allow_unused=True) if tensors else ()
    return value.detach().cpu().numpy(), [
        (torch.zeros_like(tensor) if gradient is None else gradient).detach().cpu().numpy()
        for tensor, gradient in zip(tensors, found, strict=True)
    ]
