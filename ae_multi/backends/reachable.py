"""Find all state that a model references.

A step may change more than the variables that the model lists: the variables of a second
optimizer, a counter in an attribute, a random generator, a list in a closure. A breadth-first
traversal finds all of it: attributes, containers, closures, and custom classes and functions, that
is, those outside of the standard library, Keras, the packages that Keras uses, and this package.
"""

import collections
import functools
import random
import sys
import types
from collections.abc import Iterable
from typing import Any

import numpy as np

from ae_multi._keras import keras
from ae_multi._keras_internals import BOOKKEEPING_ATTRIBUTES, global_seed_generator, raw_values

_FRAMEWORKS = {"jax", "jaxlib", "keras", "tensorflow", "torch"}
_LIBRARIES = _FRAMEWORKS | {"absl", "ae_multi", "flax", "ml_dtypes", "numpy", "optree"}
_STANDARD = set(sys.stdlib_module_names) - {"__main__"}
# Types of immutable values, which need not be traversed.
IMMUTABLE = (type(None), bool, int, float, complex, str, bytes, range, slice, type(Ellipsis))
# Types of values that cannot change, or whose changes do not affect a step.
IGNORED = (
    types.ModuleType, types.BuiltinFunctionType, types.CodeType, types.WrapperDescriptorType,
    types.MethodWrapperType, types.MethodDescriptorType, types.ClassMethodDescriptorType,
    types.GetSetDescriptorType, types.MappingProxyType, types.MemberDescriptorType,
    types.GenericAlias, types.UnionType,
    np.dtype, np.ufunc, np.generic, keras.KerasTensor, keras.Initializer, keras.DTypePolicy,
    keras.callbacks.Callback,
)  # fmt: skip
_IGNORED_MODULES = {
    "_thread", "abc", "ast", "concurrent", "datetime", "decimal", "enum", "fractions", "inspect",
    "logging", "operator", "pathlib", "re", "threading", "typing", "uuid", "weakref", "_weakref",
    "_abc",
}  # fmt: skip
_IGNORED_PREFIXES = (
    "_ae_multi_",
    "_self_",
    "_backward_",
    "_forward_",
    "_load_state_dict_",
    "_state_dict_",
)
PROGRAMS = "_ae_multi_programs"
EMPTY = object()


class Reachable:
    """The objects that can be reached by references from ``roots``, each once.

    Args:
        roots: the objects from which the traversal starts.

    Attributes:
        objects: list of (object, name): the roots and all objects that they reference.
        variables: the Keras variables among them.
        unknown: names of objects whose state cannot be read, for example iterators and files.
        is_unbuilt: whether a layer, metric or optimizer among them is not built yet.
        is_custom: whether custom classes or functions are among them.
    """

    def __init__(self, *roots: Any) -> None:
        self.objects: list[tuple[Any, str]] = []
        self.variables: list[keras.Variable] = []
        self.unknown: list[str] = []
        self.is_unbuilt = self.is_custom = False
        seen = set()
        self._references = []  # keeps objects alive, so that no `id` is reused
        generator = global_seed_generator()
        waiting = collections.deque((root, type(root).__name__) for root in roots)
        waiting.append((generator, "keras.random"))
        while waiting:  # breadth first, so that names are short
            value, name = waiting.popleft()
            if isinstance(value, IMMUTABLE) or id(value) in seen:
                continue
            seen.add(id(value))
            self._references.append(value)
            if _is_ignored(value):
                continue
            self.objects.append((value, name))
            if isinstance(value, keras.Variable):
                self.variables.append(value)
            elif isinstance(value, keras.Layer | keras.Metric | keras.Optimizer):
                self.is_unbuilt = self.is_unbuilt or not getattr(value, "built", True)
            children = _children(value)
            if children is None:
                if _package_of(type(value)) not in _LIBRARIES:
                    self.unknown.append(name)
                continue
            self.is_custom = self.is_custom or _is_custom(value)
            waiting += [(child, f"{name}{step}") for step, child in children]


def others(model: keras.Model, variables: Iterable[keras.Variable]) -> list[keras.Variable]:
    """Return the variables that ``model`` references and that are not in ``variables``.

    The variables of a second optimizer are an example.
    """
    known = {id(variable) for variable in variables}
    return [variable for variable in Reachable(model).variables if id(variable) not in known]


def _package_of(kind):
    return (getattr(kind, "__module__", None) or "").partition(".")[0]


def _is_custom(value):
    kind = value if isinstance(value, type | types.FunctionType) else type(value)
    return _package_of(kind) not in _LIBRARIES | _STANDARD


def _is_ignored(value):
    if isinstance(value, IGNORED) or _package_of(type(value)) in _IGNORED_MODULES:
        return True
    if isinstance(value, type | types.FunctionType):
        return not _is_custom(value)
    return type(value).__name__ == "Node" and _package_of(type(value)) == "keras"


def cell_content(cell: types.CellType) -> Any:
    """Return the content of a closure's cell, or `EMPTY` if nothing was assigned yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return EMPTY


def globals_used(function: types.FunctionType) -> list[str]:
    """Return the names of the global variables that a function and its inner functions use."""
    names: set[str] = set()
    codes = [function.__code__]
    for code in codes:
        names.update(code.co_names)
        codes += [each for each in code.co_consts if isinstance(each, types.CodeType)]
    return sorted(names & function.__globals__.keys())


def is_ignored_attribute(name: str) -> bool:
    """Return whether the attribute ``name`` of an object does not affect any step."""
    return name in BOOKKEEPING_ATTRIBUTES or name.startswith(_IGNORED_PREFIXES)


def mappings(value: Any) -> list[dict[Any, Any]]:
    """Return the `__dict__` of an object, and the object itself if it is a dict."""
    own = [value] if isinstance(value, dict) else []
    attributes = getattr(value, "__dict__", None)
    return own if attributes is None else [*own, attributes]


def slots_of(value: Any) -> dict[str, Any]:
    """Return the attributes in ``__slots__``: dict of name to value."""
    return {
        name: getattr(value, name)
        for kind in type(value).__mro__
        if kind.__flags__ & _HEAP_TYPE_FLAG
        for name, member in vars(kind).items()
        if isinstance(member, types.MemberDescriptorType) and hasattr(value, name)
    }


_HEAP_TYPE_FLAG = 1 << 9  # Py_TPFLAGS_HEAPTYPE: set for classes of a class statement
_READABLE = {
    object, BaseException, Exception, collections.OrderedDict, collections.defaultdict,
    types.SimpleNamespace, type(functools.lru_cache(repr)),
}  # fmt: skip
_CONTAINERS = (dict, list, set, frozenset, tuple, collections.deque)


def _has_hidden_state(kind):
    """Return whether instances may have state that Python cannot read."""
    return not all(
        each in _READABLE or each in _CONTAINERS or each.__flags__ & _HEAP_TYPE_FLAG
        for each in kind.__mro__
    )


def _children(value):
    """Return [(name, object)] of the objects that ``value`` references, or None if unknown."""
    if isinstance(value, np.ndarray) or generator_state(value) is not None:
        return []
    if isinstance(value, types.CellType):
        return [("", cell_content(value))]
    if isinstance(value, types.MethodType):
        return [("", value.__self__), ("", value.__func__)]
    if isinstance(value, staticmethod | classmethod):
        return [("", value.__func__)]
    if isinstance(value, property):
        return [("", value.fget)]
    if isinstance(value, functools.partial):
        return [("", child) for child in (value.func, value.args, value.keywords)]
    if isinstance(value, types.FunctionType):
        cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
        children = [(f" {name}", cell) for name, cell in cells]
        children += [(f" {name}", value.__globals__[name]) for name in globals_used(value)]
        children += [("", value.__defaults__), ("", value.__kwdefaults__)]
    elif isinstance(value, type):
        children = [("", base) for base in value.__bases__]
    elif _package_of(type(value)) in _FRAMEWORKS and hasattr(value, "__array__"):
        return [] if not isinstance(value, keras.Variable) else [(".value", *raw_values([value]))]
    elif isinstance(value, _CONTAINERS):
        children = [("", type(value))]
        if not isinstance(value, dict):
            children += [(f"[{index}]", child) for index, child in enumerate(value)]
    elif _has_hidden_state(type(value)):
        return None
    else:
        children = [("", type(value)), *((f".{n}", child) for n, child in slots_of(value).items())]
    for mapping in mappings(value):
        form = "[{!r}]" if mapping is value else ".{}"
        children += [
            (form.format(key), child)
            for key, child in list(mapping.items())
            if mapping is value or not is_ignored_attribute(key)
        ]
    return children


def generator_state(value: Any) -> Any:
    """Return the state of a random generator of NumPy or Python; None for any other object."""
    if isinstance(value, np.random.Generator):
        return value.bit_generator.state
    if isinstance(value, np.random.RandomState):
        return value.get_state()
    if isinstance(value, np.random.BitGenerator):
        return value.state
    return value.getstate() if isinstance(value, random.Random) else None


def ids_of_variables(reachable: Reachable) -> set[int]:
    """Return the ids of the Keras variables and of their values."""
    return {id(part) for each in reachable.variables for part in (each, *raw_values([each]))}
