"""Record a training step or forward pass of Keras as a flat graph of ATen operations.

Keras's optimizers on PyTorch change weights in place, and its layers assign to variables. Both are
recorded with the variables' tensors as inputs, so that running the graph changes these tensors.
Variables that the model does not list are found by a first recording and are inputs of a second
one. All other values are constants of the graph, which is valid as long as they do not change.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch.fx.experimental.proxy_tensor import make_fx

from ae_multi._keras import keras
from ae_multi._keras_internals import flatten_layers, raw_values
from ae_multi.backends.changed_values import Values
from ae_multi.backends.device_data import DeviceData, flat
from ae_multi.backends.reachable import Reachable
from ae_multi.backends.snapshot import generators
from ae_multi.backends.torch.graph_passes.simplify import simplified
from ae_multi.backends.torch.optimizer_hooks import Updates
from ae_multi.backends.torch.state import snapshot, values
from ae_multi.backends.torch.train_step import train_step


class UnrepeatableError(RuntimeError):
    """A step cannot be replayed, so Python has to run it; the message has the reason."""


class Recording:
    """A recorded graph and the objects it depends on.

    Attributes:
        graph: `torch.fx.GraphModule`, a function of (state, *inputs) that changes the state in
            place.
        variables: the Keras variables whose tensors are the state.
        values: the Python values from which the graph's constants were computed.
        digest: hash of the operations and constants.
    """

    def __init__(
        self, graph: torch.fx.GraphModule, variables: Sequence[keras.Variable], values: Values
    ) -> None:
        self.digest = _digest(graph)
        self.graph, self.variables, self.values = simplified(graph), variables, values

    def state(self) -> list[torch.Tensor]:
        """Return the variables' tensors."""
        return tensors(self.variables)


def tensors(variables: Iterable[keras.Variable]) -> list[torch.Tensor]:
    """Return the detached tensors of Keras variables.

    Each access of `Variable.value` checks the current scope. For all variables together that takes
    as long as a step of a small network.
    """
    return [value.detach() for value in raw_values(variables)]


def record(
    model: keras.Model,
    compute: Callable[..., Any],
    variables: Sequence[keras.Variable],
    *inputs: Any,
    fuse: bool = False,
) -> Recording:
    """Record ``compute`` as a graph; restore the model and its variables afterwards.

    Call it under `ae_multi.backends.device_data.BUILDING`: PyTorch records in one thread at a
    time.

    Args:
        model: a `keras.Model` that does not override `train_step` or `test_step`.
        compute: function of (scope, *inputs) that returns nested tensors; ``scope`` is the
            `keras.StatelessScope` in which the variables have the state's values.
        variables: the known Keras variables of the state.
        inputs: nested tensors, of the shapes that the graph will be run on.
        fuse: whether the optimizer may use PyTorch's fused kernel. Set it to False if a compiler
            follows, which generates its own kernel.

    Raises:
        UnrepeatableError: the step changes something other than Keras variables, or its
            operations or constants differ between calls.
        RuntimeError: control flow depends on the values of tensors.
    """
    reachable = Reachable(model)
    if reachable.unknown:
        raise UnrepeatableError(f"the state of {reachable.unknown[0]} cannot be read")
    watched, saved = values(reachable), snapshot(reachable, variables=False)
    generators_before, variables = generators(), list(variables)

    def recorded():
        graph, others = _trace(model, compute, variables, inputs, fuse)
        changed = watched.changed()
        if changed is None and generators() != generators_before:
            changed = "a random generator of NumPy or Python"
        if changed is not None:
            raise UnrepeatableError(f"a step changes {changed}")
        return graph, others

    try:
        graph, others = recorded()
        if others:
            variables += others
            graph, _ = recorded()
        # A step without custom code is the same in each call.
        if reachable.is_custom and _digest(graph) != _digest(recorded()[0]):
            raise UnrepeatableError("a step computes with a value that differs between calls")
    finally:
        saved.restore()
    return Recording(graph, variables, watched)


class _Scope(keras.StatelessScope):
    """A scope in which assignments change tensors in place, as they do outside of scopes.

    A tensor that was read before an assignment changes too. Some Keras optimizers read a variable
    and assign to it before they use the tensor that they read. The scope also collects variables
    that are used and have no value in it.

    Args:
        mapping: pairs of variable and tensor.

    Attributes:
        others: dict of id to variable, for variables without a value in the scope.
    """

    def __init__(self, mapping: Sequence[tuple[keras.Variable, torch.Tensor]]) -> None:
        super().__init__(state_mapping=mapping, collect_losses=True)
        self._known = {id(variable) for variable, _ in mapping}
        self.others: dict[int, keras.Variable] = {}

    def get_current_value(self, variable: keras.Variable) -> torch.Tensor | None:
        self._collect(variable)
        return super().get_current_value(variable)

    def add_update(self, update: tuple[keras.Variable, torch.Tensor]) -> None:
        variable, value = update
        self._collect(variable)
        current = super().get_current_value(variable)
        if current is None or current.shape != value.shape:
            super().add_update(update)
            return
        with torch.no_grad():
            current.copy_(value)

    def _collect(self, variable: keras.Variable) -> None:
        if id(variable) not in self._known:
            if raw_values([variable])[0] is None:
                raise UnrepeatableError(f"a step creates the variable {variable.path}")
            self.others[id(variable)] = variable


def _trace(model, compute, variables, inputs, fuse):
    """Return the graph of ``compute``, and used variables that are not in ``variables``."""
    state = tensors(variables)
    before, others = [tensor.clone() for tensor in state], {}

    def run(state, *inputs):
        current = [tensor.detach() for tensor in state]
        scope = _Scope(list(zip(variables, current, strict=True)))
        with scope:
            outputs = compute(scope, *inputs)
        others.update(scope.others)
        for variable, tensor, was in zip(variables, state, current, strict=True):
            value = scope.get_current_value(variable)
            if value is not None and value is not was:
                tensor.copy_(value)
        return outputs

    optimizer = getattr(model, "optimizer", None)  # an encoder, for example, has none
    updates = Updates(optimizer, fuse)
    try:
        while True:
            try:
                with torch.no_grad(), updates:
                    return make_fx(run)(state, *inputs), list(others.values())
            except UnrepeatableError:
                raise
            except RuntimeError:
                if not updates.fall_back():
                    raise
                _restore(state, before)
    finally:
        _restore(state, before)


def _digest(graph: torch.fx.GraphModule) -> str:
    """Return a hash of the operations and constants of a graph."""
    digest = hashlib.blake2b(graph.code.encode())
    for node in graph.graph.nodes:
        if node.op == "get_attr" and isinstance(getattr(graph, node.target), torch.Tensor):
            constant = getattr(graph, node.target).detach().cpu().contiguous()
            digest.update(repr((constant.shape, constant.dtype)).encode())
            digest.update(constant.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def wraps_modules(model: keras.layers.Layer) -> bool:
    """Return whether a layer wraps a PyTorch module, whose state Keras does not track."""
    return any(
        isinstance(layer, keras.layers.TorchModuleWrapper) for layer in flatten_layers(model)
    )


def step_of(
    model: keras.Model, device_data: DeviceData, training: bool
) -> Callable[..., dict[str, torch.Tensor]]:
    """Return the function of one step of ``model`` on the data on the device, for `record`.

    Args:
        model: a compiled and built `keras.Model`.
        device_data: the data.
        training: True to train, False to evaluate.

    Returns:
        Function of (scope, arrays, row) that returns the logs, where ``row`` has the indices of
        the samples of a batch.
    """

    def step(scope, arrays, row):
        model.train(training)  # layers may read `Module.training`; `record` restores it
        batch = device_data.assemble([array.index_select(0, row) for array in arrays])
        current = scope.get_current_value
        logs = train_step(model, batch, current, True) if training else model.test_step(batch)
        return {name: torch.as_tensor(value).clone() for name, value in flat(logs).items()}

    return step


def _restore(state: list[torch.Tensor], before: list[torch.Tensor]) -> None:
    if state:  # PyTorch requires at least one tensor
        torch._foreach_copy_(state, before)
