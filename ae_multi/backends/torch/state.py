"""Tensors and random generators of PyTorch: to restore, and to notice that they changed."""

import torch

from ae_multi.backends.snapshot import Snapshot, Values


def snapshot(reachable, variables=True):
    """The `Snapshot` of a `Reachable`; ``variables`` says whether with Keras variables."""
    return Snapshot(reachable, _save, _save_generators, variables)


def values(reachable, known=()):
    """The `Values` of a `Reachable` beside variables, all of which programs take as inputs."""
    return Values(reachable, _version)


def _save(value):
    """A function that restores ``value`` where it is a tensor or a generator, or None."""
    if isinstance(value, torch.Generator):
        state = value.get_state()
        return lambda: value.set_state(state)
    if not isinstance(value, torch.Tensor):
        return None
    tensor = value.detach()
    content = tensor.clone()

    def restore():
        # A copy would count as a change, even of what is the same.
        if not torch.equal(tensor, content):
            with torch.no_grad():
                tensor.copy_(content)

    return restore


def _save_generators():
    """A function that restores PyTorch's global random generators."""
    state = torch.get_rng_state()
    on_gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []

    def restore():
        torch.set_rng_state(state)
        if on_gpus:
            torch.cuda.set_rng_state_all(on_gpus)

    return restore


def _version(value):
    """What differs whenever a tensor's or generator's content does, or None for other values."""
    if isinstance(value, torch.Generator):
        return value.get_state().numpy().tobytes()
    return value._version if isinstance(value, torch.Tensor) else None
