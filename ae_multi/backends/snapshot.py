"""Save the state of all objects that a model references, and restore it."""

import collections
import random
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from ae_multi.backends.reachable import (
    EMPTY,
    PROGRAMS,
    Reachable,
    cell_content,
    generator_state,
    globals_used,
    ids_of_variables,
    mappings,
    slots_of,
)


class Snapshot:
    """A copy of the state of objects, which can be restored any number of times.

    Args:
        reachable: the objects.
        save: function of the backend that returns, for a tensor, a function that restores it, and
            None for any other object.
        save_generators: function of the backend that returns a function that restores the global
            random generators of the framework.
        variables: whether the values of Keras variables are saved.
    """

    def __init__(
        self,
        reachable: Reachable,
        save: Callable[[Any], Callable[[], Any] | None],
        save_generators: Callable[[], Callable[[], Any]],
        variables: bool = True,
    ) -> None:
        excluded: set[int] = set() if variables else ids_of_variables(reachable)
        self._restores = [save_generators(), _save_generators()]
        for value, _ in reachable.objects:
            if id(value) not in excluded:
                self._restores.append(save(value) or _save(value))

    def restore(self) -> None:
        """Restore tensors, arrays, containers, attributes and random generators."""
        for restore in self._restores:
            restore()


def generators() -> str:
    """Return the states of the global generators of NumPy and Python, as one comparable value."""
    return repr((np.random.get_state(), random.getstate()))  # noqa: NPY002


def _save_generators():
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002

    def restore():
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)

    return restore


def _save(value):
    """Return a function that restores one object, without the objects that it references."""
    if isinstance(value, np.ndarray):
        content = value.copy()
        return lambda: np.copyto(value, content) if value.flags.writeable else None
    state = generator_state(value)
    if state is not None:
        if isinstance(value, np.random.RandomState):
            return lambda: value.set_state(state)
        if isinstance(value, random.Random):
            return lambda: value.setstate(state)
        owner = value.bit_generator if isinstance(value, np.random.Generator) else value
        return lambda: setattr(owner, "state", state)
    if isinstance(value, types.CellType):
        content = cell_content(value)
        return lambda: None if content is EMPTY else setattr(value, "cell_contents", content)
    if isinstance(value, type):
        content = dict(vars(value))
        return lambda: _set(value, content, vars(value), type.__setattr__)
    if isinstance(value, types.FunctionType):
        names, scope = globals_used(value), value.__globals__
        content = {name: scope[name] for name in names}
        return lambda: _set(scope, content, scope, dict.__setitem__)
    restores = [_save_mapping(mapping) for mapping in mappings(value)]
    # Keras's containers track or refuse changes; the methods of Python's types do not.
    if isinstance(value, list):
        content = list(value)
        restores.append(lambda: list.__setitem__(value, slice(None), content))
    elif isinstance(value, set):
        content = set(value)
        restores.append(lambda: (set.clear(value), set.update(value, content)))
    elif isinstance(value, collections.deque):
        content = list(value)
        restores.append(lambda: (value.clear(), value.extend(content)))
    elif slots := slots_of(value):
        restores.append(lambda: _set(value, slots, slots_of(value), object.__setattr__))
    return lambda: [restore() for restore in restores]


def _save_mapping(mapping):
    ordered = isinstance(mapping, collections.OrderedDict)
    kind = collections.OrderedDict if ordered else dict
    content = dict(mapping)

    def restore():
        for key in [key for key in mapping if key not in content and key != PROGRAMS]:
            kind.__delitem__(mapping, key)
        _set(mapping, content, mapping, kind.__setitem__)

    return restore


def _set(owner, content, now, assign):
    """Assign the values of ``content`` that are not the same objects in ``now``."""
    for name, part in content.items():
        if name != PROGRAMS and now.get(name, EMPTY) is not part:
            assign(owner, name, part)
