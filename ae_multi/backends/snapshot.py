"""Find, save and compare all state that a model references.

A step may change more than the variables that the model lists: the variables of a second
optimizer, a counter in an attribute, a random generator, a list in a closure. A breadth-first
traversal finds all of it: attributes, containers, closures, and the classes and functions that
belong to no library.
"""

import collections
import functools
import operator
import random
import sys
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ae_multi._keras import keras
from ae_multi._keras_internals import BOOKKEEPING_ATTRIBUTES, global_seed_generator, raw_values

_FRAMEWORKS = {"jax", "jaxlib", "keras", "tensorflow", "torch"}
_LIBRARIES = _FRAMEWORKS | {"absl", "ae_multi", "flax", "ml_dtypes", "numpy", "optree"}
_STANDARD = set(sys.stdlib_module_names) - {"__main__"}
# Immutable values.
_IMMUTABLE = (type(None), bool, int, float, complex, str, bytes, range, slice, type(Ellipsis))
# Values that cannot change, or on whose changes no step depends.
_IGNORED = (
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
_PROGRAMS = "_ae_multi_programs"
_MAX_COMPARED_ELEMENTS = 2**20  # elements of an array that is compared by content
_EMPTY = object()


class Reachable:
    """All objects that are reachable from some objects, each once.

    Args:
        roots: the objects from which the traversal starts.

    Attributes:
        objects: list of (object, name): the roots and all objects that they reference.
        variables: the Keras variables among them.
        unknown: names of objects whose state cannot be read, for example iterators and files.
        is_unbuilt: whether a layer, metric or optimizer among them is not built yet.
        is_custom: whether code that belongs to no library is among them.
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
            if isinstance(value, _IMMUTABLE) or id(value) in seen:
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
        excluded: set[int] = set() if variables else _of_variables(reachable)
        self._restores = [save_generators(), _save_generators()]
        for value, _ in reachable.objects:
            if id(value) not in excluded:
                self._restores.append(save(value) or _save(value))

    def restore(self) -> None:
        """Restore tensors, arrays, containers, attributes and random generators."""
        for restore in self._restores:
            restore()


class Values:
    """The Python values that code may read, with a check whether they have changed.

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
        excluded = _of_variables(reachable)
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
        elif _generator_state(value) is not None:
            self._compare(lambda: repr(_generator_state(value)), name)
        elif isinstance(value, types.CellType):
            before = _content(value)
            self._checks.append(lambda: None if _is_same(_content(value), before) else name)
        elif isinstance(value, types.FunctionType):
            self._watch_names(value.__globals__, _globals_used(value), "global variable ")
        elif isinstance(value, set):
            self._compare(lambda: frozenset(map(id, value)), name)
        elif isinstance(value, list | collections.deque):
            before = tuple(value)
            self._checks.append(
                lambda: None if len(value) == len(before) and _are_same(value, before) else name
            )
        elif slots := _slots(value):
            self._checks.append(
                lambda: None if _are_same(_slots(value).values(), slots.values()) else name
            )
        for mapping in _mappings(value):
            is_dict = mapping is value
            names = [key for key in mapping if is_dict or not _is_ignored_attribute(key)]
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
                    if not _is_ignored_attribute(str(name))
                ]
                if new:
                    return f"{owner}{min(new)}"
            if all(map(operator.is_, now, before)) or _are_same(now, before):
                return None
            pairs = zip(names, now, before, strict=False)
            return f"{owner}{next(name for name, *pair in pairs if not _is_same(*pair))}"

        self._checks.append(check)


def _of_variables(reachable):
    """Return the ids of the Keras variables and of their values."""
    return {id(part) for each in reachable.variables for part in (each, *raw_values([each]))}


def _are_same(now, before):
    return all(map(_is_same, now, before))


def _is_same(now, before):
    """Return whether two values are one object, or equal for a computation."""
    if now is before:
        return True
    if isinstance(now, (types.MethodType, *_IGNORED)):  # created at each access, or ignored
        return isinstance(now, keras.callbacks.Callback) or now == before
    return (
        isinstance(before, _IMMUTABLE) and type(now) is type(before) and repr(now) == repr(before)
    )


def _package_of(kind):
    return (getattr(kind, "__module__", None) or "").partition(".")[0]


def _is_custom(value):
    kind = value if isinstance(value, type | types.FunctionType) else type(value)
    return _package_of(kind) not in _LIBRARIES | _STANDARD


def _is_ignored(value):
    if isinstance(value, _IGNORED) or _package_of(type(value)) in _IGNORED_MODULES:
        return True
    if isinstance(value, type | types.FunctionType):
        return not _is_custom(value)
    return type(value).__name__ == "Node" and _package_of(type(value)) == "keras"


def _content(cell):
    try:
        return cell.cell_contents
    except ValueError:  # nothing was assigned yet
        return _EMPTY


def _globals_used(function):
    """Return the names of the global variables that a function and its inner functions use."""
    names, codes = set(), [function.__code__]
    for code in codes:
        names.update(code.co_names)
        codes += [each for each in code.co_consts if isinstance(each, types.CodeType)]
    return sorted(names & function.__globals__.keys())


def _is_ignored_attribute(name):
    return name in BOOKKEEPING_ATTRIBUTES or name.startswith(_IGNORED_PREFIXES)


def _mappings(value):
    """Return the `__dict__` of an object, and the object itself if it is a dict."""
    mappings = [value] if isinstance(value, dict) else []
    attributes = getattr(value, "__dict__", None)
    return mappings if attributes is None else [*mappings, attributes]


def _slots(value):
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
    if isinstance(value, np.ndarray) or _generator_state(value) is not None:
        return []
    if isinstance(value, types.CellType):
        return [("", _content(value))]
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
        children += [(f" {name}", value.__globals__[name]) for name in _globals_used(value)]
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
        children = [("", type(value)), *((f".{n}", child) for n, child in _slots(value).items())]
    for mapping in _mappings(value):
        form = "[{!r}]" if mapping is value else ".{}"
        children += [
            (form.format(key), child)
            for key, child in list(mapping.items())
            if mapping is value or not _is_ignored_attribute(key)
        ]
    return children


def _generator_state(value):
    """Return the state of a random generator of NumPy or Python; None for any other object."""
    if isinstance(value, np.random.Generator):
        return value.bit_generator.state
    if isinstance(value, np.random.RandomState):
        return value.get_state()
    if isinstance(value, np.random.BitGenerator):
        return value.state
    return value.getstate() if isinstance(value, random.Random) else None


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
    """Return a function that restores the object's own state, without that of its children."""
    if isinstance(value, np.ndarray):
        content = value.copy()
        return lambda: np.copyto(value, content) if value.flags.writeable else None
    state = _generator_state(value)
    if state is not None:
        if isinstance(value, np.random.RandomState):
            return lambda: value.set_state(state)
        if isinstance(value, random.Random):
            return lambda: value.setstate(state)
        owner = value.bit_generator if isinstance(value, np.random.Generator) else value
        return lambda: setattr(owner, "state", state)
    if isinstance(value, types.CellType):
        content = _content(value)
        return lambda: None if content is _EMPTY else setattr(value, "cell_contents", content)
    if isinstance(value, type):
        content = dict(vars(value))
        return lambda: _set(value, content, vars(value), type.__setattr__)
    if isinstance(value, types.FunctionType):
        names, scope = _globals_used(value), value.__globals__
        content = {name: scope[name] for name in names}
        return lambda: _set(scope, content, scope, dict.__setitem__)
    restores = [_save_mapping(mapping) for mapping in _mappings(value)]
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
    elif slots := _slots(value):
        restores.append(lambda: _set(value, slots, _slots(value), object.__setattr__))
    return lambda: [restore() for restore in restores]


def _save_mapping(mapping):
    ordered = isinstance(mapping, collections.OrderedDict)
    kind = collections.OrderedDict if ordered else dict
    content = dict(mapping)

    def restore():
        for key in [key for key in mapping if key not in content and key != _PROGRAMS]:
            kind.__delitem__(mapping, key)
        _set(mapping, content, mapping, kind.__setitem__)

    return restore


def _set(owner, content, now, assign):
    """Assign only the values that differ from ``content``."""
    for name, part in content.items():
        if name != _PROGRAMS and now.get(name, _EMPTY) is not part:
            assign(owner, name, part)
