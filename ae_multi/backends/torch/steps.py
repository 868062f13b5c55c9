"""Many steps of a Keras model on PyTorch, without the overhead of Keras between operations.

The plans:

    graph      the complete step (forward, gradients, optimizer, metrics) recorded once as a flat
               list of ATen operations that changes the state in place, run by TorchScript's
               interpreter where it supports the operations
    cuda       the recorded step captured as a CUDA graph: one launch runs many steps
    inductor   the recorded step compiled by Inductor, and captured on a GPU: faster, after several
               seconds of compilation
    eager      Keras's `train_step`, for models whose step cannot be recorded
"""

import contextlib
import importlib.util
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch

from ae_multi._keras import keras
from ae_multi.backends.chunks import as_numpy
from ae_multi.backends.collectives.torch import communication
from ae_multi.backends.device_data import BUILDING, DeviceData, cached, flat, forget
from ae_multi.backends.reachable import others
from ae_multi.backends.torch.compile import Step, inducted, scripted
from ae_multi.backends.torch.cuda import small_matmul
from ae_multi.backends.torch.cuda.gradient_streams import use_gradient_streams
from ae_multi.backends.torch.cuda.graphs import CudaGraphs, stacked
from ae_multi.backends.torch.device import on_cpu
from ae_multi.backends.torch.optimizer_hooks import why_not_recorded
from ae_multi.backends.torch.trace import UnrepeatableError, record, step_of, tensors, wraps_modules
from ae_multi.backends.torch.train_step import train_step
from ae_multi.errors import in_a_line
from ae_multi.workers.group import current as current_group
from ae_multi.workers.splitting import current_split, own_rows, split_over

_COMPILERS = {"graph": scripted, "inductor": inducted}
# Dtypes of arrays whose memory a tensor can share, since Keras does not convert them.
_SHAREABLE = tuple(map(np.dtype, ("float32", "float16", "uint8", "int8", "int32", "int64", "bool")))
# Maximum number of rebuilds in one training when Python values that a step reads change.
_MAX_REBUILDS = 1

_log = logging.getLogger("ae_multi")
_logged: set[str] = set()


def plans(model: keras.Model) -> list[tuple[str, float]]:
    """Return the plans for ``model`` in order of preference, as (name, expected build seconds)."""
    if not _can_be_recorded(model):
        return [("eager", 0.0)]
    if torch.cuda.is_available():
        compiling = 15.0 if importlib.util.find_spec("triton") else float("inf")
        return [("cuda", 3.0), ("inductor", compiling), ("graph", 2.0), ("eager", 0.0)]
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
    # Measured on 2 cores: 32 to 37 s with a cold cache, 7 to 16 s with a warm one.
    return [("graph", 2.0), ("inductor", 35.0 if compiler else float("inf")), ("eager", 0.0)]


def worker_plans(model: keras.Model) -> list[str]:
    """Return the plans that can split steps over workers, the default first."""
    if not _has_standard_steps(model) or wraps_modules(model):
        return []
    return ["graph", "eager"] if _can_be_recorded(model) else ["eager"]


def _can_be_recorded(model: keras.Model) -> bool:
    is_standard = _has_standard_steps(model) and not wraps_modules(model)
    return is_standard and why_not_recorded(model.optimizer) is None


def _has_standard_steps(model: keras.Model) -> bool:
    # The effects of a custom step are unknown.
    steps = {name: getattr(keras.Model, name) for name in ("train_step", "test_step")}
    return all(getattr(type(model), name) is method for name, method in steps.items())


def to_device(data: Sequence[Any]) -> DeviceData:
    """Put (x, y, sample_weight) on the device, on a CPU without a copy where possible."""
    # A CUDA graph reads the arrays at the addresses at which it was captured.
    return DeviceData(data, _on_device, None if on_cpu() else torch.Tensor.copy_)


def _on_device(array: Any) -> torch.Tensor:
    """Convert an array to a tensor, on a CPU without a copy if possible; it is only read."""
    shareable = (
        on_cpu()
        and isinstance(array, np.ndarray)
        and array.dtype in _SHAREABLE
        and array.flags.c_contiguous
        and array.flags.writeable  # PyTorch warns of read-only arrays
    )
    return torch.from_numpy(array) if shareable else keras.ops.convert_to_tensor(array)


class Steps:
    """Run steps of a compiled and built model on data on the device.

    A recorded step contains Python values as constants: attributes of the model, closures, global
    variables. If one of them changes, the step is recorded again. If values change repeatedly, or
    a step itself changes them, ``plan`` becomes "eager" and the reason is logged.

    See `ae_multi.backends.protocol.Steps` for the arguments and methods. There is one recording
    for each batch size, so ``max_steps`` is not used. In a group of workers, a training step of
    ``batch_size`` samples computes this worker's part of them.
    """

    def __init__(
        self,
        model: keras.Model,
        device_data: DeviceData,
        plan: str,
        training: bool,
        batch_size: int,
        max_steps: int,
    ) -> None:
        self._model, self._data, self._training = model, device_data, training
        self.plan, self._built, self._batch_size = plan, 0, batch_size
        self._variables = [
            *model.trainable_variables,
            *model.non_trainable_variables,
            *(model.optimizer.variables if training else []),
            *model.metrics_variables,
        ]

    def run(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """Run one step for each row of ``indices``, int32 (steps, batch).

        Returns:
            Dict of name to the logs after each step, of shape (steps, ...).
        """
        group = current_group() if self._training else None
        indices, split = own_rows(group, indices, self._batch_size)
        with split_over(split), communication() if split else contextlib.nullcontext():
            return self._run(indices)

    def _run(self, indices):
        rows = keras.ops.convert_to_tensor(indices).long()
        logs = None
        if self.plan != "eager":
            try:
                program, recording = self._program(rows)
            except UnrepeatableError as error:
                # Without the exception's class, and the lines that Keras adds to its message.
                self._use_eager(in_a_line(error).partition(": ")[2])
            else:
                with torch.no_grad():
                    logs = program(recording.state(), self._data.arrays, rows)
        logs = self._eager(rows) if logs is None else logs
        # NumPy has no bfloat16; Keras converts it to the dtype of `ml_dtypes`.
        return {name: as_numpy(values) for name, values in logs.items()}

    def snapshot(self) -> list[torch.Tensor]:
        """Return a copy of the current state, for `restore`."""
        return [tensor.clone() for tensor in self._state()]

    def restore(self, state: list[torch.Tensor]) -> None:
        """Set all variables to a state from `snapshot`."""
        with torch.no_grad():
            torch._foreach_copy_(self._state(), state)

    @cached_property
    def _others(self) -> list[keras.Variable]:
        return others(self._model, self._variables)

    def _state(self) -> list[torch.Tensor]:
        return tensors([*self._variables, *self._others])

    def _use_eager(self, reason: str) -> None:
        self.plan = "eager"
        if reason not in _logged:
            _logged.add(reason)
            _log.warning("Each step is run by Keras's own Python code: %s.", reason)

    def _eager(self, rows):
        model = self._model
        # PyTorch modules in layers read the model's training flag.
        model.train(self._training)
        step = model.train_step if self._training else model.test_step
        if current_split() is not None:
            step = self._split_step
        try:
            with torch.set_grad_enabled(self._training):
                return stacked([_copied(flat(step(self._batch(row)))) for row in rows])
        finally:
            model.eval()

    def _split_step(self, batch):
        return train_step(self._model, batch, lambda variable: variable.value, False)

    def _batch(self, row):
        return self._data.assemble([array.index_select(0, row) for array in self._data.arrays])

    def _program(self, rows):
        """Return the function of (state, arrays, rows) that runs steps, and its `Recording`."""
        is_split = current_split() is not None
        key = (self.plan, self._training, self._data.signature, rows.shape[1], is_split)
        program, recording = cached_program = cached(
            self._model, key, lambda: self._build(self._record(rows), rows)
        )
        changed = recording.values.changed()
        if changed is None:
            return cached_program
        with BUILDING:
            renewed = self._record(rows)
            if renewed.digest != recording.digest:
                self._built += 1
                if self._built > _MAX_REBUILDS:
                    raise UnrepeatableError(f"{changed} changes repeatedly")
                program, renewed = self._build(renewed, rows)
            forget(self._model, [key])
            return cached(self._model, key, lambda: (program, renewed))

    def _record(self, rows):
        compute = step_of(self._model, self._data, self._training)
        return record(
            self._model,
            compute,
            self._variables,
            self._data.arrays,
            rows[0],
            fuse=self.plan != "inductor",
        )

    def _build(self, recording, rows):
        step, state, arrays = recording.graph, recording.state(), self._data.arrays
        captured = torch.cuda.is_available() and self.plan != "graph"
        if captured and self._training:
            step = use_gradient_streams(step)
        if captured and small_matmul.kernel():
            step = small_matmul.with_small_products(step)
        if self.plan in _COMPILERS:
            step = _COMPILERS[self.plan](step, state, arrays, rows[0])
        return (CudaGraphs(step) if captured else _each(step)), recording


def _each(step: Step) -> Callable[..., dict[str, torch.Tensor]]:
    """Return a function of (state, arrays, rows) that runs ``step`` for each row."""
    return lambda state, arrays, rows: stacked([step(state, arrays, row) for row in rows])


def _copied(logs: dict[str, Any]) -> dict[str, Any]:
    """Copy logs, so that later steps do not change them."""
    return {
        name: value.detach().clone() if isinstance(value, torch.Tensor) else value
        for name, value in logs.items()
    }
