"""What `keras.Model.compile` was given as ``jit_compile``, remembered by each model.

Keras keeps what "auto" came to, which is False on TensorFlow without a GPU, so that "auto" cannot
be told from False afterwards. `compile` is therefore wrapped, in whichever order Keras and this
package are imported. Keras offers no public way to do this (checked with Keras 3.15.1).
"""

import functools
import importlib.util
import inspect
import sys

_TRAINER = "keras.src.trainers.trainer"
_NAME = "_ae_multi_jit_compile"


def is_refused(model):
    """Whether ``model`` was compiled with ``jit_compile=False``."""
    return vars(model).get(_NAME) is False


def install():
    """Record from here on, or as soon as Keras is imported."""
    if _TRAINER in sys.modules:
        _wrap(sys.modules[_TRAINER])
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """An import hook that waits for the module of `keras.Model.compile`."""

    def __init__(self):
        self._is_searching = False

    def find_spec(self, name, path=None, target=None):
        """The spec of Keras's module, whose class is changed as soon as it is executed."""
        if name != _TRAINER or self._is_searching:
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
            _wrap(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)

        spec.loader.exec_module = exec_module
        return spec


def _wrap(module):
    original = module.Trainer.compile
    if hasattr(original, _NAME):
        return
    signature = inspect.signature(original)

    @functools.wraps(original)
    def compile(self, *args, **kwargs):
        original(self, *args, **kwargs)
        given = signature.bind(self, *args, **kwargs).arguments
        vars(self)[_NAME] = given.get("jit_compile", "auto")

    setattr(compile, _NAME, True)
    module.Trainer.compile = compile
