"""What a model can reach: to restore it, to compare it, and to find variables in no list.

A step may change more than the model's own lists name: the variables of a second optimizer, a
counter in an attribute, a random generator, a list in a closure. One walk finds all of it:
attributes, containers, closures, and the classes and functions that belong to no library.
"""

import collections
import functools
import operator
import random
import sys
import types

import numpy as np

from ae_multi._keras import keras
from ae_multi._keras_internals import BOOKKEEPING_ATTRIBUTES, global_seed_generator, raw_values

_FRAMEWORKS = {"jax", "jaxlib", "keras", "tensorflow", "torch"}
_LIBRARIES = _FRAMEWORKS | {"absl", "ae_multi", "flax", "ml_dtypes", "numpy", "optree"}
_STANDARD = set(sys.stdlib_module_names) - {"__main__"}
# Values that cannot change, or whose changes no step depends on.
_PLAIN = (type(None), bool, int, float, complex, str, bytes, range, slice, type(Ellipsis))
_FIXED = (
    types.ModuleType, types.BuiltinFunctionType, types.CodeType, types.WrapperDescriptorType,
    types.MethodWrapperType, types.MethodDescriptorType, types.ClassMethodDescriptorType,
    types.GetSetDescriptorType, types.MappingProxyType, types.MemberDescriptorType,
    types.GenericAlias, types.UnionType,
    np.dtype, np.ufunc, np.generic, keras.KerasTensor, keras.Initializer, keras.DTypePolicy,
    keras.callbacks.Callback,
)  # fmt: skip
_FIXED_MODULES = {
    "_thread", "abc", "ast", "concurrent", "datetime", "decimal", "enum", "fractions", "inspect",
    "logging", "operator", "pathlib", "re", "threading", "typing", "uuid", "weakref", "_weakref",
    "_abc",
}  # fmt: skip
_PREFIXES = ("_ae_multi_", "_self_", "_backward_", "_forward_", "_load_state_dict_", "_state_dict_")
_PROGRAMS = "_ae_multi_programs"
_MAX_COMPARED_ELEMENTS = 2**20  # elements of an array that is compared by content
_EMPTY = object()


class Reachable:
    """Every object that some objects reach, each once.

    Attributes:
        objects: list of (object, name): the roots, and all that they hold.
        variables: the Keras variables among them.
        unknown: names of objects whose state cannot be read: iterators and files for instance.
        is_unbuilt: whether a layer, metric or optimizer among them has still to be built.
        is_custom: whether there is code that belongs to no library among them.
    """

    def __init__(self, *roots):
        self.objects, self.variables, self.unknown = [], [], []
        self.is_unbuilt = self.is_custom = False
        seen = set()
        self._held = []  # so that no `id` is used twice
        generator = global_seed_generator()
        waiting = collections.deque((root, type(root).__name__) for root in roots)
        waiting.append((generator, "keras.random"))
        while waiting:  # breadth first, for short names
            value, name = waiting.popleft()
            if isinstance(value, _PLAIN) or id(value) in seen:
                continue
            seen.add(id(value))
            self._held.append(value)
            if _is_fixed(value):
                continue
            self.objects.append((value, name))
            if isinstance(value, keras.Variable):
                self.variables.append(value)
            elif isinstance(value, keras.Layer | keras.Metric | keras.Optimizer):
                self.is_unbuilt = self.is_unbuilt or not getattr(value, "built", True)
            parts = _parts(value)
            if parts is None:
                if _top(type(value)) not in _LIBRARIES:
                    self.unknown.append(name)
                continue
            self.is_custom = self.is_custom or _is_custom(value)
            waiting += [(part, f"{name}{step}") for step, part in parts]


def others(model, variables):
    """Keras variables that ``model`` reaches and ``variables`` lacks: a second optimizer's, say."""
    known = {id(variable) for variable in variables}
    return [variable for variable in Reachable(model).variables if id(variable) not in known]


class Snapshot:
    """The state of objects, to be restored as often as needed.

    Args:
        reachable: a `Reachable`.
        save: the backend's function of a tensor that returns a function to restore it, or None.
        save_generators: the backend's function that returns a function to restore its own
            random generators.
        variables: False leaves out the values of Keras variables.
    """

    def __init__(self, reachable, save, save_generators, variables=True):
        left = set() if variables else _of_variables(reachable)
        self._restores = [save_generators(), _save_generators()]
        for value, _ in reachable.objects:
            if id(value) not in left:
                self._restores.append(save(value) or _save(value))

    def restore(self):
        """Restore tensors, arrays, containers, attributes and random generators."""
        for restore in self._restores:
            restore()


class Values:
    """What Python code may read: attributes, containers, arrays, closures, random generators.

    Keras variables are left out.

    Args:
        reachable: a `Reachable`.
        version: the backend's function of a tensor that returns what differs whenever its content
            does, or None.
        variables: Keras variables whose values count all the same.
    """

    def __init__(self, reachable, version, variables=()):
        self._version, self._checks = version, []
        left = _of_variables(reachable)
        for value, name in reachable.objects:
            if id(value) not in left:
                self._watch(value, name)
        for variable in variables:
            self._watch_names(vars(variable), ["_value"], variable.path)

    def changed(self):
        """The name of a value that is not what it was, or None."""
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
            names = [key for key in mapping if is_dict or not _is_noted(key)]
            known = {*mapping, *BOOKKEEPING_ATTRIBUTES}
            self._watch_names(mapping, names, name if is_dict else f"{name}.", known)

    def _compare(self, read, name):
        before = read()
        self._checks.append(lambda: None if read() == before else name)

    def _watch_names(self, mapping, names, owner, known=None):
        """Watch what ``mapping`` has under ``names``, and whether it has others than ``known``."""
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
                new = [str(name) for name in mapping.keys() - known if not _is_noted(str(name))]
                if new:
                    return f"{owner}{min(new)}"
            if all(map(operator.is_, now, before)) or _are_same(now, before):
                return None
            pairs = zip(names, now, before, strict=False)
            return f"{owner}{next(name for name, *pair in pairs if not _is_same(*pair))}"

        self._checks.append(check)


def _of_variables(reachable):
    """Ids of the Keras variables, of their values, and of their attributes."""
    return {id(part) for each in reachable.variables for part in (each, *raw_values([each]))}


def _are_same(now, before):
    return all(map(_is_same, now, before))


def _is_same(now, before):
    """Whether two values are one object, or compute the same."""
    if now is before:
        return True
    if isinstance(now, (types.MethodType, *_FIXED)):  # made at each access, or of no account
        return isinstance(now, keras.callbacks.Callback) or now == before
    return isinstance(before, _PLAIN) and type(now) is type(before) and repr(now) == repr(before)


def _top(kind):
    return (getattr(kind, "__module__", None) or "").partition(".")[0]


def _is_custom(value):
    kind = value if isinstance(value, type | types.FunctionType) else type(value)
    return _top(kind) not in _LIBRARIES | _STANDARD


def _is_fixed(value):
    if isinstance(value, _FIXED) or _top(type(value)) in _FIXED_MODULES:
        return True
    if isinstance(value, type | types.FunctionType):
        return not _is_custom(value)
    return type(value).__name__ == "Node" and _top(type(value)) == "keras"


def _content(cell):
    try:
        return cell.cell_contents
    except ValueError:  # nothing was assigned yet
        return _EMPTY


def _globals_used(function):
    """Names of global variables that a function uses, in functions within it too."""
    names, codes = set(), [function.__code__]
    for code in codes:
        names.update(code.co_names)
        codes += [each for each in code.co_consts if isinstance(each, types.CodeType)]
    return sorted(names & function.__globals__.keys())


def _is_noted(name):
    return name in BOOKKEEPING_ATTRIBUTES or name.startswith(_PREFIXES)


def _mappings(value):
    """The mapping of an object's attributes, and the object if it is one itself."""
    mappings = [value] if isinstance(value, dict) else []
    attributes = getattr(value, "__dict__", None)
    return mappings if attributes is None else [*mappings, attributes]


def _slots(value):
    """Attributes that are in no `__dict__`: dict of name to value."""
    return {
        name: getattr(value, name)
        for kind in type(value).__mro__
        if kind.__flags__ & _HEAP
        for name, member in vars(kind).items()
        if isinstance(member, types.MemberDescriptorType) and hasattr(value, name)
    }


_HEAP = 1 << 9  # of classes that a class statement made
_READABLE = {
    object, BaseException, Exception, collections.OrderedDict, collections.defaultdict,
    types.SimpleNamespace, type(functools.lru_cache(repr)),
}  # fmt: skip
_CONTAINERS = (dict, list, set, frozenset, tuple, collections.deque)


def _has_hidden_state(kind):
    """Whether instances may hold state that Python cannot read."""
    return not all(
        each in _READABLE or each in _CONTAINERS or each.__flags__ & _HEAP for each in kind.__mro__
    )


def _parts(value):
    """[(step, part)] of what an object holds, or None where that cannot be known."""
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
        return [("", part) for part in (value.func, value.args, value.keywords)]
    if isinstance(value, types.FunctionType):
        cells = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
        parts = [(f" {name}", cell) for name, cell in cells]
        parts += [(f" {name}", value.__globals__[name]) for name in _globals_used(value)]
        parts += [("", value.__defaults__), ("", value.__kwdefaults__)]
    elif isinstance(value, type):
        parts = [("", base) for base in value.__bases__]
    elif _top(type(value)) in _FRAMEWORKS and hasattr(value, "__array__"):
        return [] if not isinstance(value, keras.Variable) else [(".value", *raw_values([value]))]
    elif isinstance(value, _CONTAINERS):
        parts = [("", type(value))]
        if not isinstance(value, dict):
            parts += [(f"[{place}]", part) for place, part in enumerate(value)]
    elif _has_hidden_state(type(value)):
        return None
    else:
        parts = [("", type(value)), *((f".{n}", part) for n, part in _slots(value).items())]
    for mapping in _mappings(value):
        form = "[{!r}]" if mapping is value else ".{}"
        parts += [
            (form.format(key), part)
            for key, part in list(mapping.items())
            if mapping is value or not _is_noted(key)
        ]
    return parts


def _generator_state(value):
    """The state of a random generator of NumPy or Python, or None for anything else."""
    if isinstance(value, np.random.Generator):
        return value.bit_generator.state
    if isinstance(value, np.random.RandomState):
        return value.get_state()
    if isinstance(value, np.random.BitGenerator):
        return value.state
    return value.getstate() if isinstance(value, random.Random) else None


def generators():
    """The states of NumPy's and Python's global generators, as one value to compare."""
    return repr((np.random.get_state(), random.getstate()))  # noqa: NPY002


def _save_generators():
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002

    def restore():
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)

    return restore


def _save(value):
    """A function that restores what an object itself holds."""
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
    # Keras's own containers note or refuse changes; the methods of Python's types do not.
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
    """Assign what differs from ``content``, and nothing else."""
    for name, part in content.items():
        if name != _PROGRAMS and now.get(name, _EMPTY) is not part:
            assign(owner, name, part)
