"""Change a module of Keras as soon as it is imported."""

import importlib.util
import sys


def after_import(name, change):
    """Call ``change(module)`` for the module ``name``: now, or right after it is executed.

    Args:
        name: full name of the module.
        change: function of the module. It is called again where this is called again.
    """
    if name in sys.modules:
        change(sys.modules[name])
    elif not any(getattr(finder, "name", None) == name for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder(name, change))


class _Finder:
    """Finds the module as Python does, and adds a call to its execution."""

    def __init__(self, name, change):
        self.name, self._change = name, change
        self._is_searching = False

    def find_spec(self, name, path=None, target=None):
        """The spec of the module, or None for any other."""
        if name != self.name or self._is_searching:
            return None
        self._is_searching = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._is_searching = False
        if spec is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            self._change(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)

        spec.loader.exec_module = exec_module
        return spec
