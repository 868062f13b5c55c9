"""What Keras does on PyTorch, a step or a pass, recorded as a flat graph of ATen operations.

Keras's optimizers on PyTorch change weights in place and its layers assign to variables; both
are recorded with the variables' tensors as inputs, so that the graph run on them changes them.
Variables that no list of the model names are inputs too, once a recording has found them. Other
values are constants of the graph, which is good for as long as they stay what they were.
"""

import hashlib
import warnings

import torch
from torch.fx.experimental.proxy_tensor import make_fx

from ae_multi._keras import keras
from ae_multi._keras_internals import (
    call_arguments,
    compute_loss,
    flatten_layers,
    loss_tracker,
    raw_values,
)
from ae_multi.backends.device_data import flat
from ae_multi.backends.snapshot import Reachable, generators
from ae_multi.backends.torch.graph_passes.simplify import simplified
from ae_multi.backends.torch.optimizer_hooks import RefuseReading, Updates
from ae_multi.backends.torch.state import snapshot, values


class UnrepeatableError(RuntimeError):
    """Python has to run at each step: the message says why."""


class Recording:
    """A recorded graph and what it depends on.

    Attributes:
        graph: `torch.fx.GraphModule`, a function of (state, *inputs) that changes the state in
            place.
        variables: the Keras variables whose tensors are the state.
        values: the `Values` that its constants come from.
        digest: string, the same for recordings of the same operations and constants.
    """

    def __init__(self, graph, variables, values):
        self.digest = _digest(graph)
        self.graph, self.variables, self.values = simplified(graph), variables, values

    def state(self):
        """The variables' tensors."""
        return tensors(self.variables)


def tensors(variables):
    """The detached tensors of Keras variables."""
    return [value.detach() for value in raw_values(variables)]


def record(model, compute, variables, *inputs, fuse=False):
    """``compute`` as a `Recording`. The model and its variables are left as they were.

    To be called under `ae_multi.backends.device_data.BUILDING`: PyTorch records in one thread at
    a time.

    Args:
        model: a `keras.Model` whose steps are Keras's own.
        compute: function of (scope, *inputs) that returns nested tensors; ``scope`` is the
            `keras.StatelessScope` in which the variables have the state's values.
        variables: the Keras variables that make up the state, as far as they are known.
        inputs: nested tensors, of the shapes that the graph will be run on.
        fuse: whether the optimizer may update by one kernel; a compiler makes one of its own.

    Raises:
        UnrepeatableError: a step that changes what is not a Keras variable, or whose operations
            or constants differ from call to call.
        RuntimeError: a course that depends on values.
    """
    reachable = Reachable(model)
    if reachable.unknown:
        raise UnrepeatableError(f"the state of {reachable.unknown[0]} cannot be read")
    watched, saved = values(reachable), snapshot(reachable, variables=False)
    drawn, variables = generators(), list(variables)

    def recorded():
        graph, others = _traced(model, compute, variables, inputs, fuse)
        changed = watched.changed()
        if changed is None and generators() != drawn:
            changed = "a random generator of NumPy or Python"
        if changed is not None:
            raise UnrepeatableError(f"a step changes {changed}")
        return graph, others

    try:
        graph, others = recorded()
        if others:
            variables += others
            graph, _ = recorded()
        # A step of Keras's layers alone is the same at each call.
        if reachable.is_custom and _digest(graph) != _digest(recorded()[0]):
            raise UnrepeatableError("a step computes with a number that differs from call to call")
    finally:
        saved.restore()
    return Recording(graph, variables, watched)


class _Scope(keras.StatelessScope):
    """A scope in which assignments change tensors in place, as they do outside of it.

    A tensor that was read before an assignment changes with it; some of Keras's optimizers read
    a variable and assign to it before they use what they read. The scope finds the variables that
    are used and have no value in it.
    """

    def __init__(self, mapping):
        super().__init__(state_mapping=mapping, collect_losses=True)
        self._known, self.others = {id(variable) for variable, _ in mapping}, {}

    def get_current_value(self, variable):
        self._note(variable)
        return super().get_current_value(variable)

    def add_update(self, update):
        variable, value = update
        self._note(variable)
        current = super().get_current_value(variable)
        if current is None or current.shape != value.shape:
            super().add_update(update)
            return
        with torch.no_grad():
            current.copy_(value)

    def _note(self, variable):
        if id(variable) not in self._known:
            if raw_values([variable])[0] is None:
                raise UnrepeatableError(f"a step makes the variable {variable.path}")
            self.others[id(variable)] = variable


def _traced(model, compute, variables, inputs, fuse):
    """(graph of ``compute``, the variables that it uses beside ``variables``)."""
    state = tensors(variables)
    before, others = [tensor.clone() for tensor in state], {}

    def run(state, *inputs):
        live = [tensor.detach() for tensor in state]
        scope = _Scope(list(zip(variables, live, strict=True)))
        with scope:
            outputs = compute(scope, *inputs)
        others.update(scope.others)
        for variable, tensor, was in zip(variables, state, live, strict=True):
            value = scope.get_current_value(variable)
            if value is not None and value is not was:
                tensor.copy_(value)
        return outputs

    optimizer = getattr(model, "optimizer", None)  # a part of a model has none
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
                _put_back(state, before)
    finally:
        _put_back(state, before)


def _digest(graph):
    """What two recordings of the same operations on the same constants have in common."""
    digest = hashlib.blake2b(graph.code.encode())
    for node in graph.graph.nodes:
        if node.op == "get_attr" and isinstance(getattr(graph, node.target), torch.Tensor):
            constant = getattr(graph, node.target).detach().cpu().contiguous()
            digest.update(repr((constant.shape, constant.dtype)).encode())
            digest.update(constant.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def wraps_modules(model):
    """Whether a layer is a module of PyTorch's own, with state that Keras does not know."""
    return any(
        isinstance(layer, keras.layers.TorchModuleWrapper) for layer in flatten_layers(model)
    )


def step_of(model, device_data, training):
    """A step of ``model`` on a batch of the data on the device, for `record`.

    Args:
        model: a compiled and built `keras.Model`.
        device_data: the data, a `DeviceData`.
        training: whether to train, or else to evaluate.

    Returns:
        Function of (scope, arrays, row) that returns the logs.
    """

    def step(scope, arrays, row):
        model.train(training)  # layers may read PyTorch's own flag; `record` restores it
        batch = device_data.assemble([array.index_select(0, row) for array in arrays])
        logs = flat((_train if training else _test)(model, batch, scope))
        return {name: torch.as_tensor(value).clone() for name, value in logs.items()}

    return step


def _put_back(state, before):
    if state:  # PyTorch wants at least one tensor
        torch._foreach_copy_(state, before)


def _train(model, batch, scope):
    """`keras.Model.train_step` of the PyTorch backend, with gradients by a function."""
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
    weights = [scope.get_current_value(variable) for variable in model.trainable_variables]
    for weight in weights:
        weight.requires_grad_(True)
    with torch.enable_grad():
        y_pred = model(x, **call_arguments(model, training=True))
        loss = compute_loss(model, x, y, y_pred, sample_weight, training=True)
        scaled = model.optimizer.scale_loss(loss)
    samples = next(part for part in keras.tree.flatten(x) if part is not None).shape[0]
    loss_tracker(model).update_state(loss.detach(), sample_weight=samples)
    if weights:
        gradients = list(torch.autograd.grad(scaled, weights, allow_unused=True))
        for weight in weights:
            weight.requires_grad_(False)
        with RefuseReading():
            model.optimizer.apply(gradients, model.trainable_variables)
    else:
        warnings.warn("The model does not have any trainable weights.", stacklevel=2)
    y_pred = keras.tree.map_structure(lambda part: part.detach(), y_pred)
    return model.compute_metrics(x, y, y_pred, sample_weight=sample_weight)


def _test(model, batch, scope):
    return model.test_step(batch)
