"""A Keras step on PyTorch, recorded as a flat graph of ATen operations.

Keras's optimizers on PyTorch change weights in place and its layers assign to variables; both
are recorded with the variables' tensors as inputs, so that the graph run on them changes them.
"""

import contextlib

import torch
from torch.fx.experimental.proxy_tensor import make_fx

from ae_multi._keras import keras


def record(model, held, variables, training, state, row):
    """The step of ``model`` as a function of (state, arrays, row) that changes the state in place.

    Args:
        model: a `keras.Model` whose steps are Keras's own.
        held: the data, a `Held`.
        variables: the Keras variables that make up the state.
        training: whether to train, or else to evaluate.
        state: their tensors, detached. Recording leaves their values as they were.
        row: indices of one batch, int64 (batch,).

    Returns:
        A `torch.fx.GraphModule` that returns the logs.

    Raises:
        RuntimeError: a step whose course depends on values, or that cannot be repeated.
    """
    before = [tensor.clone() for tensor in state]

    def step(state, arrays, row):
        batch = held.assemble([array.index_select(0, row) for array in arrays])
        live = [tensor.detach() for tensor in state]
        mapping = list(zip(variables, live, strict=True))
        scope = keras.StatelessScope(state_mapping=mapping, collect_losses=True)
        with scope:
            logs = (_train if training else _test)(model, batch, scope)
            logs = {name: torch.as_tensor(value).clone() for name, value in logs.items()}
        for variable, tensor, was in zip(variables, state, live, strict=True):
            value = scope.get_current_value(variable)
            if value is not None and value is not was:
                tensor.copy_(value)
        return logs

    try:
        with torch.no_grad():
            return _without_detours(make_fx(step)(state, held.arrays, row))
    except RuntimeError:
        # Some updates of all weights at once ask the learning rate for its value; Keras's
        # definition of the optimizer, weight by weight, does not.
        torch._foreach_copy_(state, before)
        with torch.no_grad(), _weight_by_weight(model.optimizer):
            return _without_detours(make_fx(step)(state, held.arrays, row))
    finally:
        torch._foreach_copy_(state, before)


@contextlib.contextmanager
def _weight_by_weight(optimizer):
    """Let ``optimizer`` update as Keras defines it, without PyTorch's operations on lists."""

    def update(gradients, variables, learning_rate):
        for gradient, variable in zip(gradients, variables, strict=True):
            optimizer.update_step(gradient, variable, learning_rate)

    vars(optimizer)["_backend_update_step"] = update
    try:
        yield
    finally:
        del vars(optimizer)["_backend_update_step"]


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
    gradients = list(torch.autograd.grad(scaled, weights, allow_unused=True))
    for weight in weights:
        weight.requires_grad_(False)
    model.optimizer.apply(gradients, model.trainable_variables)
    y_pred = keras.tree.map_structure(lambda part: part.detach(), y_pred)
    return model.compute_metrics(x, y, y_pred, sample_weight=sample_weight)


def _test(model, batch, scope):
    return model.test_step(batch)


def _without_detours(graph):
    """The same graph without operations that do nothing once it is recorded."""
    for node in list(graph.graph.nodes):
        if node.target is torch.ops.aten.detach.default:
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)
    graph.graph.eliminate_dead_code()
    graph.recompile()
    return graph
