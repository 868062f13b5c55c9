"""This package's classes in Keras's registry, so that `keras.saving.load_model` finds them.

A class is registered when its module is imported, and the modules need Keras, which
``import ae_multi`` does not load. So Keras's registry imports them when it is asked for a name
of this package for the first time, in whichever order Keras and the package are imported.
Keras offers no public way to do this (checked with Keras 3.15.1).
"""

import importlib

from ae_multi._import_hook import after_import

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


def install():
    """Make this package's classes known to Keras: now, or as soon as Keras is imported."""
    after_import("keras.src.saving.object_registration", _extend)


def _extend(module):
    module.GLOBAL_CUSTOM_OBJECTS = _Registry(module.GLOBAL_CUSTOM_OBJECTS)
