"""Registration of this package's classes in Keras, so that `keras.saving.load_model` finds them.

A class is registered when its module is imported. The modules need Keras, which ``import ae_multi``
does not load. Therefore Keras's registry is replaced by a dict that imports the modules when a
name of this package is first looked up, in whichever order Keras and the package are imported.
Keras has no public API for this (checked with Keras 3.15.1).
"""

import importlib
from typing import Any

from ae_multi._import_hook import after_import

_PREFIX = "ae_multi>"
# Modules that register classes; the first ones import only what models need.
_MODULES = (
    "ae_multi.models",
    "ae_multi.randomness.layers",
    "ae_multi.randomness.initializers",
    "ae_multi.estimators.graph_layers",
)


class _Registry(dict):
    """Dict of registered names that imports this package's modules on demand."""

    def __contains__(self, name: object) -> bool:
        if super().__contains__(name):
            return True
        if isinstance(name, str) and name.startswith(_PREFIX):
            for module in _MODULES:
                importlib.import_module(module)
                if super().__contains__(name):
                    return True
        return False


def install() -> None:
    """Make this package's classes available to Keras: now, or as soon as Keras is imported."""
    after_import("keras.src.saving.object_registration", _extend)


def _extend(module: Any) -> None:
    module.GLOBAL_CUSTOM_OBJECTS = _Registry(module.GLOBAL_CUSTOM_OBJECTS)
