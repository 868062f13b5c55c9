"""Import hook that changes a module right after its import."""

import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def after_import(name: str, change: Callable[[ModuleType], None]) -> None:
    """Call ``change(module)`` now if the module is imported, otherwise right after its import.

    Args:
        name: full name of the module.
        change: function of the module. Repeated calls of `after_import` for an imported module
            call it again.
    """
    if name in sys.modules:
        change(sys.modules[name])
    elif not any(getattr(finder, "name", None) == name for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder(name, change))


class _Finder:
    """Meta path finder that adds a call to the execution of one module."""

    def __init__(self, name: str, change: Callable[[ModuleType], None]) -> None:
        self.name, self._change = name, change
        self._is_searching = False

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of the module, or None for other modules."""
        if name != self.name or self._is_searching:
            return None
        self._is_searching = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._is_searching = False
        if spec is None:
            return None
        loader: Any = spec.loader
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            self._change(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)

        loader.exec_module = exec_module
        return spec
