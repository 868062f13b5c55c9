"""Many steps of a Keras model on PyTorch, without Keras between the operations.

graph      the whole step (forward, gradients, optimizer, metrics) recorded once as a flat
list of ATen operations that changes the state in place
cuda       the graph captured as a CUDA graph: many steps are one launch
inductor   the graph compiled by Inductor, and captured on a GPU; faster after seconds of compiling
eager      Keras's own `train_step`, for models whose step cannot be recorded
"""

import importlib.util
import os
import shutil

import torch

from ae_multi._keras import keras
from ae_multi.backends.chunks import as_numpy
from ae_multi.backends.held import Held, cached
from ae_multi.backends.torch import small_products
from ae_multi.backends.torch.beside import gradients_beside
from ae_multi.backends.torch.capture import CudaGraphs, stacked
from ae_multi.backends.torch.compiled import inducted, scripted
from ae_multi.backends.torch.record import record, step_of, wraps_modules
from ae_multi.backends.torch.updates import python_values, why_not_recorded

_MAKE = {"graph": scripted, "inductor": inducted}


def plans(model):
    """Plans for ``model`` as (name, seconds that building one may take), the first to be tried."""
    if not _can_be_recorded(model):
        return [("eager", 0.0)]
    if torch.cuda.is_available():
        compiling = 15.0 if importlib.util.find_spec("triton") else float("inf")
        return [("cuda", 3.0), ("inductor", compiling), ("graph", 2.0), ("eager", 0.0)]
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
    return [("graph", 2.0), ("inductor", 20.0 if compiler else float("inf")), ("eager", 0.0)]


def _can_be_recorded(model):
    # A step of the model's own may do anything.
    own = {name: getattr(keras.Model, name) for name in ("train_step", "test_step")}
    plain = all(getattr(type(model), name) is method for name, method in own.items())
    return plain and not wraps_modules(model) and why_not_recorded(model.optimizer) is None


def hold(data):
    """Nested arrays as `Held` on the device, as they are stored."""
    return Held(data, keras.ops.convert_to_tensor)


class Steps:
    """Runs steps of a compiled and built model on held data; see JAX's `Steps`."""

    def __init__(self, model, held, plan, training, batch_size, most):
        self._model, self._held, self._training = model, held, training
        self._variables = [
            *model.trainable_variables,
            *model.non_trainable_variables,
            *(model.optimizer.variables if training else []),
            *model.metrics_variables,
        ]
        self._plan = plan

    def run(self, indices):
        """One step for each row; see JAX's `Steps.run`."""
        rows = keras.ops.convert_to_tensor(indices).long()
        run = self._eager if self._plan == "eager" else self._recorded
        # NumPy has no bfloat16 of its own; Keras makes such numbers those of `ml_dtypes`.
        return {name: as_numpy(values) for name, values in run(rows).items()}

    def keep(self):
        """The state as it is, for `restore`."""
        return [tensor.clone() for tensor in self._state()]

    def restore(self, kept):
        """Set the model's variables to a state."""
        with torch.no_grad():
            torch._foreach_copy_(self._state(), kept)

    def _state(self):
        # Past `value`, which looks each time at who asks; for all variables together that takes
        # as long as a step of a small network.
        return [variable._value.detach() for variable in self._variables]

    def _eager(self, rows):
        model = self._model
        # Layers made of PyTorch's own modules ask the model in which of the two it is.
        model.train(self._training)
        step = model.train_step if self._training else model.test_step
        try:
            with torch.set_grad_enabled(self._training):
                return stacked([_copied(step(self._batch(row))) for row in rows])
        finally:
            model.eval()

    def _batch(self, row):
        return self._held.assemble([array.index_select(0, row) for array in self._held.arrays])

    def _recorded(self, rows):
        state, arrays = self._state(), self._held.arrays
        key = (self._plan, self._training, self._held.signature, rows.shape[1])
        if self._training:
            key = (*key, python_values(self._model.optimizer))
        captured = torch.cuda.is_available() and self._plan != "graph"

        def make():
            compute = step_of(self._model, self._held, self._training)
            step = record(
                self._model, compute, self._variables, state, arrays, rows[0],
                fuse=self._plan != "inductor",
            )  # fmt: skip
            if captured and self._training:
                step = gradients_beside(step)
            if captured and small_products.kernel():
                step = small_products.with_small_products(step)
            if self._plan in _MAKE:
                step = _MAKE[self._plan](step, state, arrays, rows[0])
            return CudaGraphs(step) if captured else _each(step)

        program = cached(self._model, key, make)
        with torch.no_grad():
            return program(state, arrays, rows)


def _each(step):
    """A step as `CudaGraphs` are: a function of (state, arrays, rows), but one row at a time."""
    return lambda state, arrays, rows: stacked([step(state, arrays, row) for row in rows])


def _copied(logs):
    """Logs that later steps do not change."""
    return {
        name: value.detach().clone() if isinstance(value, torch.Tensor) else value
        for name, value in logs.items()
    }
