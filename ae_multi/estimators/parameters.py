"""Validation of estimators' parameters, in `fit` as scikit-learn requires."""

from __future__ import annotations

import functools
import math
import numbers
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import numpy as np
from sklearn.utils import check_random_state

from ae_multi.argument_checks import as_plain, check_positive, check_shape
from ae_multi.checkpoints import Interval
from ae_multi.errors import InputError
from ae_multi.estimators.scaling import KINDS
from ae_multi.randomness.streams import check_seed

if TYPE_CHECKING:
    from ae_multi.estimators.base import NetworkEstimator

_P = ParamSpec("_P")
_T = TypeVar("_T")


def with_plain_parameters(
    method: Callable[Concatenate[Any, _P], _T],
) -> Callable[Concatenate[Any, _P], _T]:
    """Decorate a method of an estimator: convert NumPy parameters to Python values while it runs.

    The original parameters are restored afterwards, since scikit-learn requires that `fit` does
    not change parameters.
    """

    @functools.wraps(method)
    def run(self, *args, **kwargs):
        parameters = self.get_params(deep=False)
        for name, value in parameters.items():
            setattr(self, name, as_plain(value))
        try:
            return method(self, *args, **kwargs)
        finally:
            for name, value in parameters.items():
                setattr(self, name, value)

    return run


def check_parameters(estimator: NetworkEstimator) -> None:
    """Raise `InputError` that names the first invalid parameter."""
    parameters = estimator.get_params(deep=False)
    for name in ("batch_size", "patience"):
        check_positive(**{name: parameters.get(name, 1)})
    for name in ("epochs", "latent_dim"):
        if parameters.get(name, 1) is None:
            raise InputError(f"Expected {name} to be an integer or 'auto'. Received: None.")
        if parameters.get(name, "auto") != "auto":
            check_positive(**{name: parameters[name]})
    sizes = parameters.get("hidden", "auto")
    if isinstance(sizes, str) and sizes != "auto":
        raise InputError(f"Expected hidden to be sizes or 'auto'. Received: {sizes!r}.")
    # An empty sequence, no hidden layers, is valid.
    if not isinstance(sizes, str) and sizes not in ((), []):
        check_shape(sizes, "hidden")
    check_number("learning_rate", parameters["learning_rate"], 0, math.inf)
    check_number("validation_fraction", parameters["validation_fraction"], 0, 1)
    if parameters["schedule"] not in (None, "cosine"):
        raise InputError(
            f"Expected schedule to be 'cosine' or None. Received: {parameters['schedule']!r}."
        )
    if parameters["scale"] not in KINDS:
        raise InputError(
            f"Expected scale to be 'minmax', 'standard' or None. Received: {parameters['scale']!r}."
        )
    _check_checkpoints(parameters)


def check_no_checkpoint(estimator: NetworkEstimator, method: str) -> None:
    """Raise `InputError` if ``checkpoint`` is set, for methods without checkpoints."""
    if estimator.checkpoint is not None:
        raise InputError(
            f"Expected checkpoint=None with {method}, which writes no checkpoints. "
            f"Received: {estimator.checkpoint!r}."
        )


def _check_checkpoints(parameters: Mapping[str, Any]) -> None:
    folder = parameters["checkpoint"]
    if folder is None:
        return
    if not isinstance(folder, str | os.PathLike):
        raise InputError(f"Expected checkpoint to be a folder or None. Received: {folder!r}.")
    Interval.parse(parameters["checkpoint_every"])
    if parameters["random_state"] is None:
        raise InputError(
            "Expected a random_state with checkpoint, since a fit that draws a new seed each time "
            "cannot resume. Received: None."
        )


def check_number(name: str, value: Any, low: float, high: float, closed: bool = False) -> None:
    """Raise `InputError` unless ``low < value < high``.

    Args:
        name: name of the parameter, for the message.
        value: value to check.
        low: exclusive lower bound.
        high: upper bound.
        closed: whether ``high`` itself is valid.
    """
    value = as_plain(value)
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number or not (low < value < high or (closed and value == high)):
        bound = f" and {'at most' if closed else 'below'} {high:g}" if high < math.inf else ""
        raise InputError(
            f"Expected {name} to be a number above {low:g}{bound}. Received: {value!r}."
        )


def check_contamination(contamination: Any, false_alarm_rate: Any) -> None:
    """Raise `InputError` unless the parameters of a detector's threshold are valid."""
    check_number("false_alarm_rate", false_alarm_rate, 0, 1)
    if not isinstance(contamination, str):
        check_number("contamination", contamination, 0, 0.5, closed=True)
    elif contamination not in ("auto", "held_out"):
        raise InputError(
            "Expected contamination to be 'auto', 'held_out' or a number. "
            f"Received: {contamination!r}."
        )


def seed_of(random_state: int | np.random.RandomState | None) -> int:
    """Return the seed of a ``random_state``: the integer itself, or one drawn from it."""
    if random_state is None or isinstance(random_state, np.random.RandomState):
        return int(check_random_state(random_state).randint(2**31 - 1))
    return check_seed(random_state)
