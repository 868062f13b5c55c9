"""Variables of a model on all workers of a group: a common start, and comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ae_multi._keras import keras
from ae_multi.backends.chunks import as_numpy
from ae_multi.backends.reachable import others
from ae_multi.data.digest import sha256
from ae_multi.errors import InputError, WorkerError

if TYPE_CHECKING:
    from ae_multi.workers.group import Group


def variables_of(model: keras.Model) -> list[keras.Variable]:
    """Return the variables that a training step of a compiled and built model may change."""
    variables = [
        *model.trainable_variables,
        *model.non_trainable_variables,
        *model.optimizer.variables,
        *model.metrics_variables,
    ]
    return list({id(variable): variable for variable in variables}.values())


def copy_from_first(group: Group, model: keras.Model) -> None:
    """Set all variables of ``model`` to those of worker 0, if they differ.

    Initial weights without a seed are random numbers of each process.

    Raises:
        InputError: the model of worker 0 has other variables.
    """
    variables = variables_of(model)
    variables += others(model, variables)
    values = [as_numpy(variable.value) for variable in variables]
    if len(set(group.gather(sha256(values)))) == 1:
        return
    types = [[str(value.dtype), *value.shape] for value in values]
    if any(other != types for other in group.gather(types)):
        raise InputError(
            "Expected the same model on all workers. Received: models with other variables."
        )
    content = b"".join(np.ascontiguousarray(value).tobytes() for value in values)
    first = group.collectives.gather(b"" if group.rank else content)[0]
    if group.rank:
        begin = 0
        for variable, value in zip(variables, values, strict=True):
            part = first[begin : begin + value.nbytes]
            begin += value.nbytes
            array = np.frombuffer(part, value.dtype).reshape(value.shape).copy()
            if array.dtype.kind == "V":  # bfloat16, which PyTorch cannot read
                array = array.astype(np.float32)
            variable.assign(keras.ops.convert_to_tensor(array, dtype=variable.dtype))


def check_equal(group: Group, model: keras.Model) -> None:
    """Raise an error unless all workers have the same bits in all variables of ``model``.

    Raises:
        WorkerError: variables differ; the message names the workers.
    """
    digests = group.gather(sha256(as_numpy(variable.value) for variable in variables_of(model)))
    different = [rank for rank, digest in enumerate(digests) if digest != digests[0]]
    if different:
        ranks = ", ".join(map(str, different))
        raise WorkerError(
            "Expected the same variables on all workers. Received: those of "
            f"{'worker' if len(different) == 1 else 'workers'} {ranks} differ from those of "
            "worker 0. Callbacks and other code of the training must do the same on each worker."
        )
