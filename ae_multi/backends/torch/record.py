"""What Keras does on PyTorch, a step or a pass, recorded as a flat graph of ATen operations.

Keras's optimizers on PyTorch change weights in place and its layers assign to variables; both
are recorded with the variables' tensors as inputs, so that the graph run on them changes them.
"""

import warnings

import torch
from torch.fx.experimental.proxy_tensor import make_fx

from ae_multi._keras import keras
from ae_multi.backends.torch.simplify import simplified
from ae_multi.backends.torch.updates import (
    RefuseReading,
    Updates,
    python_values,
    set_python_values,
)


def record(model, compute, variables, state, *inputs, fuse=False):
    """``compute`` as a flat graph, a function of (state, *inputs) that changes the state in place.

    Args:
        model: a `keras.Model` whose steps are Keras's own.
        compute: function of (scope, *inputs) that returns nested tensors; ``scope`` is the
            `keras.StatelessScope` in which the variables have the state's values.
        variables: the Keras variables that make up the state.
        state: their tensors, detached. Recording leaves their values as they were.
        inputs: nested tensors, of the shapes that the graph will be run on.
        fuse: whether the optimizer may update by one kernel; a compiler makes one of its own.

    Returns:
        A `torch.fx.GraphModule`.

    Raises:
        RuntimeError: a course that depends on values, or that cannot be repeated.
    """
    before = [tensor.clone() for tensor in state]

    def run(state, *inputs):
        live = [tensor.detach() for tensor in state]
        mapping = list(zip(variables, live, strict=True))
        scope = _InPlaceScope(state_mapping=mapping, collect_losses=True)
        with scope:
            outputs = compute(scope, *inputs)
        for variable, tensor, was in zip(variables, state, live, strict=True):
            value = scope.get_current_value(variable)
            if value is not None and value is not was:
                tensor.copy_(value)
        return outputs

    optimizer = getattr(model, "optimizer", None)  # a part of a model has none
    updates, values = Updates(optimizer, fuse), python_values(optimizer)
    try:
        while True:
            try:
                with torch.no_grad(), updates:
                    recorded = simplified(make_fx(run)(state, *inputs))
            except RuntimeError:
                if not updates.fall_back():
                    raise
                _put_back(state, before)
            else:
                break
    finally:
        _put_back(state, before)
        changed = python_values(optimizer) != values
        set_python_values(optimizer, values)
    if changed:
        raise RuntimeError("Expected an optimizer whose steps change its variables alone.")
    return recorded


class _InPlaceScope(keras.StatelessScope):
    """A scope in which assignments change tensors in place, as they do outside of it.

    A tensor that was read before an assignment changes with it; some of Keras's optimizers read
    a variable and assign to it before they use what they read.
    """

    def add_update(self, update):
        """Assign a value to a variable."""
        variable, value = update
        current = self.get_current_value(variable)
        if current is None or current.shape != value.shape:
            super().add_update(update)
            return
        with torch.no_grad():
            current.copy_(value)


def wraps_modules(model):
    """Whether a layer is a module of PyTorch's own, with state that Keras does not know."""
    return any(
        isinstance(layer, keras.layers.TorchModuleWrapper) for layer in model._flatten_layers()
    )


def step_of(model, held, training):
    """A step of ``model`` on a batch of the ``held`` data, for `record`.

    Args:
        model: a compiled and built `keras.Model`.
        held: the data, a `Held`.
        training: whether to train, or else to evaluate.

    Returns:
        Function of (scope, arrays, row) that returns the logs.
    """

    def step(scope, arrays, row):
        batch = held.assemble([array.index_select(0, row) for array in arrays])
        logs = (_train if training else _test)(model, batch, scope)
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
        y_pred = model(x, training=True) if model._call_has_training_arg else model(x)
        loss = model._compute_loss(
            x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, training=True
        )
        scaled = model.optimizer.scale_loss(loss)
    samples = next(part for part in keras.tree.flatten(x) if part is not None).shape[0]
    model._loss_tracker.update_state(loss.detach(), sample_weight=samples)
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
