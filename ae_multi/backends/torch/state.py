"""Save, restore and compare the state of a model on PyTorch."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from ae_multi._keras import keras
from ae_multi.backends.changed_values import Values
from ae_multi.backends.reachable import Reachable
from ae_multi.backends.snapshot import Snapshot


def snapshot(reachable: Reachable, variables: bool = True) -> Snapshot:
    """Return a `Snapshot` of ``reachable``; ``variables``: whether it includes Keras variables."""
    return Snapshot(reachable, _save, _save_generators, variables)


def values(reachable: Reachable, known: Sequence[keras.Variable] = ()) -> Values:
    """Return the `Values` of ``reachable``.

    Keras variables are excluded, since all are inputs of a program. ``known`` is not used.
    """
    return Values(reachable, _version)


def _save(value: Any) -> Callable[[], Any] | None:
    """Return a function that restores a tensor or generator, or None for any other object."""
    if isinstance(value, torch.Generator):
        state = value.get_state()
        return lambda: value.set_state(state)
    if not isinstance(value, torch.Tensor):
        return None
    tensor = value.detach()
    content = tensor.clone()

    def restore():
        # Copying equal content would still increase the tensor's version.
        if not torch.equal(tensor, content):
            with torch.no_grad():
                tensor.copy_(content)

    return restore


def _save_generators() -> Callable[[], None]:
    """Return a function that restores PyTorch's global random generators."""
    state = torch.get_rng_state()
    on_gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []

    def restore():
        torch.set_rng_state(state)
        if on_gpus:
            torch.cuda.set_rng_state_all(on_gpus)

    return restore


def _version(value: Any) -> Any:
    """Return a value that differs whenever the content of a tensor or generator differs.

    None for any other object.
    """
    if isinstance(value, torch.Generator):
        return value.get_state().numpy().tobytes()
    return value._version if isinstance(value, torch.Tensor) else None
