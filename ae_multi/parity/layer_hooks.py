"""Hooks that record the outputs and the random bits of every layer of any Keras model."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ae_multi._keras import keras
from ae_multi._keras_internals import control_flow_functions
from ae_multi.randomness import noise


class LayerCall(NamedTuple):
    """One call of a layer.

    Attributes:
        layer: the layer.
        inputs: the numeric tensors in its positional arguments.
        outputs: the numeric tensors that it returns.
        keywords: dict of each keyword argument that is a numeric tensor.
        has_list: whether its only positional argument is a list or tuple.
    """

    layer: keras.layers.Layer
    inputs: list[np.ndarray]
    outputs: list[np.ndarray]
    keywords: dict[str, np.ndarray]
    has_list: bool


@contextlib.contextmanager
def watched_layers() -> Iterator[
    tuple[list[LayerCall], list[tuple[keras.layers.Layer, np.ndarray]]]
]:
    """Record each layer call inside the block, in the order in which the calls end.

    The call of an inner layer ends before that of the layer that contains it. So the first entry
    that differs belongs to the layer with the fault. Only eager calls are recorded. Calls in a
    compiled program and calls inside a loop or branch of `keras.ops` are not.

    Yields:
        (calls, draws), two lists that are filled inside the block. An entry of ``draws`` is (layer,
        int32 array of the random bits that it draws).
    """
    calls: list[LayerCall] = []
    draws: list[tuple[keras.layers.Layer, np.ndarray]] = []
    running: list[keras.layers.Layer] = []
    control_flow: list[Callable[..., Any]] = []
    real_call, real_bits = keras.Layer.__call__, noise.bits

    def record_call(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
        if control_flow:
            return real_call(layer, *args, **kwargs)
        inputs = _arrays(args)  # before the call, which may change them in place
        keywords = {
            name: array
            for name, value in kwargs.items()
            if keras.ops.is_tensor(value)
            for array in _arrays(value)
        }
        has_list = len(args) == 1 and isinstance(args[0], list | tuple)
        running.append(layer)
        try:
            outputs = real_call(layer, *args, **kwargs)
        finally:
            running.pop()
        if arrays := _arrays(outputs):
            calls.append(LayerCall(layer, inputs, arrays, keywords, has_list))
        return outputs

    def record_bits(*args: Any, **kwargs: Any) -> Any:
        bits = real_bits(*args, **kwargs)
        if running and not control_flow:
            draws.append((running[-1], keras.ops.convert_to_numpy(bits)))
        return bits

    def without_recording(function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            control_flow.append(function)
            try:
                return function(*args, **kwargs)
            finally:
                control_flow.pop()

        return run

    with contextlib.ExitStack() as stack:
        _replace(stack, keras.Layer, "__call__", record_call)
        _replace(stack, noise, "bits", record_bits)
        # Some backends trace the body of a loop or branch once, others run it in every iteration.
        # So calls inside of it are not recorded on any backend, but the call of the layer that
        # contains the loop is.
        for module, name in control_flow_functions():
            _replace(stack, module, name, without_recording(getattr(module, name)))
        yield calls, draws


def _replace(
    stack: contextlib.ExitStack, place: Any, name: str, function: Callable[..., Any]
) -> None:
    """Replace an attribute until ``stack`` closes."""
    stack.callback(setattr, place, name, getattr(place, name))
    setattr(place, name, function)


def _arrays(structure: Any) -> list[np.ndarray]:
    """Return the numeric tensors of a nested structure as NumPy arrays, without strings."""
    tensors = [tensor for tensor in keras.tree.flatten(structure) if keras.ops.is_tensor(tensor)]
    arrays = [keras.ops.convert_to_numpy(tensor) for tensor in tensors]
    return [array for array in arrays if array.dtype.kind not in "OSU"]
