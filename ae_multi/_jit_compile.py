"""What `keras.Model.compile` was given as ``jit_compile``, remembered by each model.

Keras keeps what "auto" came to, which is False on TensorFlow without a GPU, so that "auto" cannot
be told from False afterwards. `compile` is therefore wrapped, in whichever order Keras and this
package are imported. Keras offers no public way to do this (checked with Keras 3.15.1).
"""

import functools
import inspect

from ae_multi._import_hook import after_import

_NAME = "_ae_multi_jit_compile"


def is_refused(model):
    """Whether ``model`` was compiled with ``jit_compile=False``."""
    return vars(model).get(_NAME) is False


def install():
    """Record from here on, or as soon as Keras is imported."""
    after_import("keras.src.trainers.trainer", _wrap)


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
