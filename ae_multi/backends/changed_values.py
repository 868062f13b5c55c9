"""Detection of changes of the Python values that code may read."""

import collections
import operator
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ae_multi._keras import keras
from ae_multi._keras_internals import BOOKKEEPING_ATTRIBUTES
from ae_multi.backends.reachable import (
    IGNORED,
    IMMUTABLE,
    Reachable,
    cell_content,
    generator_state,
    globals_used,
    ids_of_variables,
    is_ignored_attribute,
    mappings,
    slots_of,
)

_MAX_COMPARED_ELEMENTS = 2**20  # elements of an array that is compared by content


class Values:
    """The Python values that code may read, and whether they have changed since creation.

    These are attributes, containers, arrays, closures and random generators. Keras variables are
    excluded.

    Args:
        reachable: the objects.
        version: function of the backend that returns, for a tensor, a value that differs whenever
            the tensor's content differs, and None for any other object.
        variables: Keras variables whose values are included nevertheless.
    """

    def __init__(
        self,
        reachable: Reachable,
        version: Callable[[Any], Any],
        variables: Sequence[keras.Variable] = (),
    ) -> None:
        self._version = version
        self._checks: list[Callable[[], str | None]] = []
        excluded = ids_of_variables(reachable)
        for value, name in reachable.objects:
            if id(value) not in excluded:
                self._watch(value, name)
        for variable in variables:
            self._watch_names(vars(variable), ["_value"], variable.path)

    def changed(self) -> str | None:
        """Return the name of a value that has changed, or None."""
        return next(filter(None, (check() for check in self._checks)), None)

    def _watch(self, value, name):
        version = self._version(value)
        if version is not None:
            self._compare(lambda: self._version(value), name)
        elif isinstance(value, np.ndarray):
            if value.size <= _MAX_COMPARED_ELEMENTS:
                self._compare(lambda: (value.shape, value.tobytes()), name)
        elif generator_state(value) is not None:
            self._compare(lambda: repr(generator_state(value)), name)
        elif isinstance(value, types.CellType):
            before = cell_content(value)
            self._checks.append(lambda: None if _is_same(cell_content(value), before) else name)
        elif isinstance(value, types.FunctionType):
            self._watch_names(value.__globals__, globals_used(value), "global variable ")
        elif isinstance(value, set):
            self._compare(lambda: frozenset(map(id, value)), name)
        elif isinstance(value, list | collections.deque):
            before = tuple(value)
            self._checks.append(
                lambda: None if len(value) == len(before) and _are_same(value, before) else name
            )
        elif slots := slots_of(value):
            self._checks.append(
                lambda: None if _are_same(slots_of(value).values(), slots.values()) else name
            )
        for mapping in mappings(value):
            is_dict = mapping is value
            names = [key for key in mapping if is_dict or not is_ignored_attribute(key)]
            known = {*mapping, *BOOKKEEPING_ATTRIBUTES}
            self._watch_names(mapping, names, name if is_dict else f"{name}.", known)

    def _compare(self, read, name):
        before = read()
        self._checks.append(lambda: None if read() == before else name)

    def _watch_names(self, mapping, names, owner, known=None):
        """Watch the values of ``mapping`` under ``names``, and keys that are not in ``known``."""
        get = operator.itemgetter(*names, *names[:1]) if names else lambda mapping: ()
        try:
            before, size = get(mapping), len(mapping)
        except KeyError:
            return

        def check():
            try:
                now = get(mapping)
            except KeyError:
                return f"{owner}{next(name for name in names if name not in mapping)}"
            if known is not None and len(mapping) != size:
                new = [
                    str(name)
                    for name in mapping.keys() - known
                    if not is_ignored_attribute(str(name))
                ]
                if new:
                    return f"{owner}{min(new)}"
            if all(map(operator.is_, now, before)) or _are_same(now, before):
                return None
            pairs = zip(names, now, before, strict=False)
            return f"{owner}{next(name for name, *pair in pairs if not _is_same(*pair))}"

        self._checks.append(check)


def _are_same(now, before):
    return all(map(_is_same, now, before))


def _is_same(now, before):
    """Return whether two values are the same object, or equal and immutable or ignored.

    Two callbacks always count as the same.
    """
    if now is before:
        return True
    if isinstance(now, (types.MethodType, *IGNORED)):  # created at each access, or ignored
        return isinstance(now, keras.callbacks.Callback) or now == before
    return isinstance(before, IMMUTABLE) and type(now) is type(before) and repr(now) == repr(before)
