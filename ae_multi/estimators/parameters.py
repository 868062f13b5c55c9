"""What an estimator's parameters may be; looked at in `fit`, as scikit-learn asks."""

import functools
import math
import numbers
import os

import numpy as np
from sklearn.utils import check_random_state

from ae_multi.checkpoints import Interval
from ae_multi.errors import InputError
from ae_multi.estimators.scaling import KINDS
from ae_multi.randomness.streams import check_seed
from ae_multi.validation import as_plain, check_positive, check_shape


def with_plain_parameters(method):
    """Run a method of an estimator with NumPy numbers, text and arrays as Python's own values.

    scikit-learn wants parameters to stay as they were given, so they are put back afterwards.
    """

    @functools.wraps(method)
    def run(self, *args, **kwargs):
        given = self.get_params(deep=False)
        for name, value in given.items():
            setattr(self, name, as_plain(value))
        try:
            return method(self, *args, **kwargs)
        finally:
            for name, value in given.items():
                setattr(self, name, value)

    return run


def check_parameters(estimator):
    """Raise `InputError` that names the first parameter which cannot be meant."""
    given = estimator.get_params(deep=False)
    for name in ("batch_size", "patience"):
        check_positive(**{name: given[name]})
    for name in ("epochs", "latent_dim"):
        if given.get(name, 1) is None:
            raise InputError(f"Expected {name} to be an integer or 'auto'. Received: None.")
        if given.get(name, "auto") != "auto":
            check_positive(**{name: given[name]})
    sizes = given.get("hidden", "auto")
    if isinstance(sizes, str) and sizes != "auto":
        raise InputError(f"Expected hidden to be sizes or 'auto'. Received: {sizes!r}.")
    # No hidden layers at all is a choice of its own.
    if not isinstance(sizes, str) and sizes not in ((), []):
        check_shape(sizes, "hidden")
    check_number("learning_rate", given["learning_rate"], 0, math.inf)
    check_number("validation_fraction", given["validation_fraction"], 0, 1)
    if given["schedule"] not in (None, "cosine"):
        raise InputError(
            f"Expected schedule to be 'cosine' or None. Received: {given['schedule']!r}."
        )
    if given["scale"] not in KINDS:
        raise InputError(
            f"Expected scale to be 'minmax', 'standard' or None. Received: {given['scale']!r}."
        )
    _check_checkpoints(given)


def check_no_checkpoint(estimator, method):
    """Raise `InputError` where checkpoints are asked for of a method that takes none."""
    if estimator.checkpoint is not None:
        raise InputError(
            f"Expected checkpoint=None with {method}, which takes no checkpoints. "
            f"Received: {estimator.checkpoint!r}."
        )


def _check_checkpoints(given):
    folder = given["checkpoint"]
    if folder is None:
        return
    if not isinstance(folder, str | os.PathLike):
        raise InputError(f"Expected checkpoint to be a folder or None. Received: {folder!r}.")
    Interval.parse(given["checkpoint_every"])
    if given["random_state"] is None:
        raise InputError(
            "Expected a random_state with checkpoint, for a fit that draws another seed each time "
            "is never gone on with. Received: None."
        )


def check_number(name, value, low, high, closed=False):
    """Raise `InputError` unless ``value`` is above ``low`` and below (or, closed, at) ``high``."""
    value = as_plain(value)
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or not (low < value < high or (closed and value == high)):
        most = f" and {'at most' if closed else 'below'} {high:g}" if high < math.inf else ""
        raise InputError(
            f"Expected {name} to be a number above {low:g}{most}. Received: {value!r}."
        )


def seed_of(random_state):
    """The integer that stands for a ``random_state``: itself, or one drawn from it."""
    if random_state is None or isinstance(random_state, np.random.RandomState):
        return int(check_random_state(random_state).randint(2**31 - 1))
    return check_seed(random_state)
