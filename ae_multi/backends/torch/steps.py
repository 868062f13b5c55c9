"""Many steps of a Keras model on PyTorch, without Keras between the operations.

graph      the whole step (forward, gradients, optimizer, metrics) recorded once as a flat
list of ATen operations that changes the state in place
cuda       the graph captured as a CUDA graph: many steps are one launch
inductor   the graph compiled by Inductor, and captured on a GPU; faster after seconds of compiling
eager      Keras's own `train_step`, for models whose step cannot be recorded
"""

import importlib.util
import logging
import os
import shutil
from functools import cached_property

import numpy as np
import torch

from ae_multi._keras import keras
from ae_multi.backends.chunks import as_numpy
from ae_multi.backends.device_data import BUILDING, DeviceData, cached, flat, forget
from ae_multi.backends.snapshot import others
from ae_multi.backends.torch.compile import inducted, scripted
from ae_multi.backends.torch.cuda import small_matmul
from ae_multi.backends.torch.cuda.gradient_streams import gradients_beside
from ae_multi.backends.torch.cuda.graphs import CudaGraphs, stacked
from ae_multi.backends.torch.device import on_cpu
from ae_multi.backends.torch.optimizer_hooks import why_not_recorded
from ae_multi.backends.torch.trace import UnrepeatableError, record, step_of, tensors, wraps_modules
from ae_multi.errors import in_a_line

_MAKE = {"graph": scripted, "inductor": inducted}
# Types that Keras leaves as they are.
_SHAREABLE = tuple(map(np.dtype, ("float32", "float16", "uint8", "int8", "int32", "int64", "bool")))
# Programs that one training builds where values change that a step reads.
_MAX_REBUILDS = 1

_log = logging.getLogger("ae_multi")
_logged = set()


def plans(model):
    """Plans for ``model`` as (name, seconds that building one may take), the first to be tried."""
    if not _can_be_recorded(model):
        return [("eager", 0.0)]
    if torch.cuda.is_available():
        compiling = 15.0 if importlib.util.find_spec("triton") else float("inf")
        return [("cuda", 3.0), ("inductor", compiling), ("graph", 2.0), ("eager", 0.0)]
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
    # With a cold cache 32 to 37 s, with a warm one 7 to 16 (2 cores).
    return [("graph", 2.0), ("inductor", 35.0 if compiler else float("inf")), ("eager", 0.0)]


def _can_be_recorded(model):
    # A step of the model's own may do anything.
    own = {name: getattr(keras.Model, name) for name in ("train_step", "test_step")}
    plain = all(getattr(type(model), name) is method for name, method in own.items())
    return plain and not wraps_modules(model) and why_not_recorded(model.optimizer) is None


def to_device(data):
    """Nested arrays as `DeviceData` on the device, as they are stored."""
    return DeviceData(data, _on_device)


def _on_device(array):
    """On a CPU a tensor of the numbers where they lie, or else a copy; nothing writes to it."""
    shareable = (
        on_cpu()
        and isinstance(array, np.ndarray)
        and array.dtype in _SHAREABLE
        and array.flags.c_contiguous
        and array.flags.writeable  # PyTorch warns of others
    )
    return torch.from_numpy(array) if shareable else keras.ops.convert_to_tensor(array)


class Steps:
    """Runs steps of a compiled and built model on held data; see JAX's `Steps`.

    A recorded step has Python values as constants: attributes of the model, closures, global
    variables. Where one of them changed since, the step is recorded again; where values change
    again and again, or in a step itself, ``plan`` becomes "eager" and the reason is logged.
    """

    def __init__(self, model, device_data, plan, training, batch_size, max_steps):
        self._model, self._data, self._training = model, device_data, training
        self.plan, self._built = plan, 0
        self._variables = [
            *model.trainable_variables,
            *model.non_trainable_variables,
            *(model.optimizer.variables if training else []),
            *model.metrics_variables,
        ]

    def run(self, indices):
        """One step for each row; see JAX's `Steps.run`."""
        rows = keras.ops.convert_to_tensor(indices).long()
        logs = None
        if self.plan != "eager":
            try:
                program, recording = self._program(rows)
            except UnrepeatableError as error:
                # Keras adds lines of its own to what a layer raises.
                self._leave_to_python(in_a_line(error).partition(": ")[2])
            else:
                with torch.no_grad():
                    logs = program(recording.state(), self._data.arrays, rows)
        logs = self._eager(rows) if logs is None else logs
        # NumPy has no bfloat16 of its own; Keras makes such numbers those of `ml_dtypes`.
        return {name: as_numpy(values) for name, values in logs.items()}

    def snapshot(self):
        """The state as it is, for `restore`."""
        return [tensor.clone() for tensor in self._state()]

    def restore(self, state):
        """Set the model's variables to a state."""
        with torch.no_grad():
            torch._foreach_copy_(self._state(), state)

    @cached_property
    def _others(self):
        return others(self._model, self._variables)

    def _state(self):
        return tensors([*self._variables, *self._others])

    def _leave_to_python(self, why):
        self.plan = "eager"
        if why not in _logged:
            _logged.add(why)
            _log.warning("Each step is run by Keras's own Python code: %s.", why)

    def _eager(self, rows):
        model = self._model
        # Layers made of PyTorch's own modules ask the model in which of the two it is.
        model.train(self._training)
        step = model.train_step if self._training else model.test_step
        try:
            with torch.set_grad_enabled(self._training):
                return stacked([_copied(flat(step(self._batch(row)))) for row in rows])
        finally:
            model.eval()

    def _batch(self, row):
        return self._data.assemble([array.index_select(0, row) for array in self._data.arrays])

    def _program(self, rows):
        """(function of (state, arrays, rows) that runs recorded steps, their `Recording`)."""
        key = (self.plan, self._training, self._data.signature, rows.shape[1])
        program, recording = made = cached(
            self._model, key, lambda: self._build(self._record(rows), rows)
        )
        changed = recording.values.changed()
        if changed is None:
            return made
        with BUILDING:
            again = self._record(rows)
            if again.digest != recording.digest:
                self._built += 1
                if self._built > _MAX_REBUILDS:
                    raise UnrepeatableError(f"{changed} changes from time to time")
                program, again = self._build(again, rows)
            forget(self._model, [key])
            return cached(self._model, key, lambda: (program, again))

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
            step = gradients_beside(step)
        if captured and small_matmul.kernel():
            step = small_matmul.with_small_products(step)
        if self.plan in _MAKE:
            step = _MAKE[self.plan](step, state, arrays, rows[0])
        return (CudaGraphs(step) if captured else _each(step)), recording


def _each(step):
    """A step as `CudaGraphs` are: a function of (state, arrays, rows), but one row at a time."""
    return lambda state, arrays, rows: stacked([step(state, arrays, row) for row in rows])


def _copied(logs):
    """Logs that later steps do not change."""
    return {
        name: value.detach().clone() if isinstance(value, torch.Tensor) else value
        for name, value in logs.items()
    }
