"""This package's classes in Keras's registry, so that `keras.saving.load_model` finds them.

A class is registered when its module is imported, and the modules need Keras, which
``import ae_multi`` does not load. So Keras's registry imports them when it is asked for a name
of this package for the first time, in whichever order Keras and the package are imported.
Keras offers no public way to do this (checked with Keras 3.15.1).
"""

import importlib
import importlib.util
import sys

_REGISTRY = "keras.src.saving.object_registration"
_PREFIX = "ae_multi>"
# Where classes are registered; the first ones import no more than models need.
_MODULES = (
    "ae_multi.models",
    "ae_multi.randomness.layers",
    "ae_multi.randomness.initializers",
    "ae_multi.estimators.graph_layers",
)


class _Registry(dict):
    """Keras's dict of registered names, which imports this package's modules on demand."""

    def __contains__(self, name):
        if super().__contains__(name):
            return True
        if isinstance(name, str) and name.startswith(_PREFIX):
            for module in _MODULES:
                importlib.import_module(module)
                if super().__contains__(name):
                    return True
        return False


class _Finder:
    """An import hook that waits for Keras's registry to be imported."""

    def __init__(self):
        self._is_searching = False

    def find_spec(self, name, path=None, target=None):
        """The spec of Keras's registry, which is extended as soon as it is executed."""
        if name != _REGISTRY or self._is_searching:
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
            _extend(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)

        spec.loader.exec_module = exec_module
        return spec


def install():
    """Make this package's classes known to Keras: now, or as soon as Keras is imported."""
    if _REGISTRY in sys.modules:
        _extend(sys.modules[_REGISTRY])
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def _extend(module):
    module.GLOBAL_CUSTOM_OBJECTS = _Registry(module.GLOBAL_CUSTOM_OBJECTS)
