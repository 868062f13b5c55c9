"""Check that a step that is split over workers computes what a step on the complete batch does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ae_multi import backends
from ae_multi._keras_internals import flatten_layers
from ae_multi.backends.chunks import as_numpy
from ae_multi.backends.reachable import Reachable
from ae_multi.errors import InputError
from ae_multi.workers.splitting import whole_batches
from ae_multi.workers.state import variables_of

if TYPE_CHECKING:
    from ae_multi._keras import keras
    from ae_multi.backends.protocol import Steps
    from ae_multi.workers.group import Group

# TF32, in which GPUs may compute, rounds to 10 bits.
_TF32_EPSILON = 2.0**-10
# A rounding may move a prediction over the threshold of a metric that counts samples.
_METRIC_TOLERANCE = 0.01


def check_split(group: Group, model: keras.Model, steps: Steps, rows: np.ndarray) -> None:
    """Run one batch completely and split over the workers, and compare all variables.

    The state of everything that the model references is restored.

    A variable may differ by √ε of its largest change, where ε is the rounding of the model's
    dtype: 3e-4 in float32. An error of the split, such as a sum over samples that is taken for a
    mean, changes a variable by more than 1 %. Gradients whose exact value is 0 (of a bias before
    `BatchNormalization`, for example) are rounding alone, so a difference is also allowed up to
    128 ε of the largest change of all variables of the same kind. Adaptive optimizers divide
    gradients by their size, which turns this rounding into steps of full size. Then not the
    weights are compared, but the optimizer's moments, which contain the gradients.

    Args:
        group: the group.
        model: a compiled and built Keras model.
        steps: the backend's `Steps`, which split batches over the group.
        rows: one batch, int32 (1, batch).

    Raises:
        InputError: a variable differs, on any worker; the message names it.
    """
    reachable = Reachable(model)
    if reachable.is_unbuilt:
        raise InputError(
            "Expected a model whose variables exist before the first step, to train it in a "
            "group of workers. Received: a layer, metric or optimizer that is not built."
        )
    snapshot = backends.current().snapshot(reachable)
    before = _values(model)
    try:
        with whole_batches():
            steps.run(rows)
        whole = _values(model)
        snapshot.restore()
        steps.run(rows)
        split = _values(model)
    finally:
        snapshot.restore()
    found = next(_differences(model, before, whole, split), None)
    found = next(filter(None, group.gather(found)), None)
    if found is not None:
        raise InputError(
            f"Expected a batch that is split over {group.size} workers to give the results of the "
            f"complete batch. Received: {found}. Likely causes: a loss with reduction='sum', a "
            "mean over a mask or over sample weights, a layer that mixes the samples of a batch, "
            "a random layer without a seed, or other data on another worker."
        )


def _values(model: keras.Model) -> list[np.ndarray]:
    return [np.array(as_numpy(variable.value)) for variable in variables_of(model)]


def _differences(
    model: keras.Model,
    before: list[np.ndarray],
    whole: list[np.ndarray],
    split: list[np.ndarray],
) -> Iterator[str]:
    """Yield a description of each variable that differs by more than rounding.

    Args:
        model: the model.
        before: the values of its variables before the step.
        whole: their values after a step on the complete batch.
        split: their values after a step that is split over the workers.
    """
    epsilon = _epsilon(model)
    tolerance = epsilon**0.5
    variables = variables_of(model)
    kinds = _kinds(model, variables)
    changes = [_largest(after, start) for after, start in zip(whole, before, strict=True)]
    of_kind: dict[str, float] = {}
    for kind, change in zip(kinds, changes, strict=True):
        of_kind[kind] = max(change, of_kind.get(kind, 0.0))
    is_adaptive = any(of_kind[kind] > 0 for kind in of_kind if kind.startswith("optimizer"))
    for variable, kind, change, start, one, other in zip(
        variables, kinds, changes, before, whole, split, strict=True
    ):
        if (kind == "weight" and is_adaptive) or not np.isfinite(_float(one)).all():
            continue
        allowed = 0.0
        if _is_float(one):
            size = float(np.abs(_float(one)).max(initial=0.0))
            relative = max(tolerance, _METRIC_TOLERANCE) if kind == "metric" else tolerance
            allowed = relative * change
            allowed += min(128 * epsilon, tolerance) * (
                of_kind[kind] if kind == "weight" or kind.startswith("optimizer") else 0.0
            )
            # The rounding of the value itself; for moments of a batch, also of its terms.
            allowed += 8 * epsilon * ((1.0 + size) if kind == "other" else size)
        difference = _largest(one, other)
        if not difference <= allowed:
            yield (
                f"{variable.path} changes by up to {change:.3g} in a step on the complete batch, "
                f"and by up to {_largest(other, start):.3g} in the split step"
            )


def _kinds(model: keras.Model, variables: list[Any]) -> list[str]:
    """Return the kind of each variable: "weight", "metric", "other" or "optimizer NAME"."""
    weights = {id(variable) for variable in model.trainable_variables}
    metrics = {id(variable) for variable in model.metrics_variables}
    slots = {id(variable) for variable in model.optimizer.variables}

    def kind(variable):
        if id(variable) in weights or variable.path.endswith("_average"):
            return "weight"
        if id(variable) in metrics:
            return "metric"
        is_slot = id(variable) in slots and _is_float(as_numpy(variable.value))
        # The paths of an optimizer's variables end with the name of a weight and of a moment.
        return f"optimizer {variable.path.rpartition('_')[2]}" if is_slot else "other"

    return [kind(variable) for variable in variables]


def _epsilon(model: keras.Model) -> float:
    """Return the relative rounding of the least precise dtype in which the model computes."""
    dtypes = {layer.compute_dtype for layer in flatten_layers(model)} | {"float32"}
    known = {"bfloat16": 2.0**-7, "float16": 2.0**-10, "float32": 2.0**-23}
    on_cpu = backends.current().device().startswith("cpu")
    epsilons = [known.get(str(dtype), 0.0) for dtype in dtypes]
    return max(*epsilons, 0.0 if on_cpu else _TF32_EPSILON)


def _largest(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(_float(one) - _float(other)).max(initial=0.0))


def _float(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float64)


def _is_float(values: np.ndarray) -> bool:
    return values.dtype.kind in "fV"
