"""Record of the argument ``jit_compile`` of `keras.Model.compile` for each model.

Keras stores only the resolved value of "auto", which is False on TensorFlow without a GPU, so
"auto" and False cannot be distinguished afterwards. Therefore `compile` is wrapped, in whichever
order Keras and this package are imported. Keras has no public API for this (checked with Keras
3.15.1).
"""

import functools
import inspect
from types import ModuleType
from typing import Any

from ae_multi._import_hook import after_import

_NAME = "_ae_multi_jit_compile"


def is_refused(model: Any) -> bool:
    """Return whether the Keras model ``model`` was compiled with ``jit_compile=False``."""
    return vars(model).get(_NAME) is False


def install() -> None:
    """Start to record: now, or as soon as Keras is imported."""
    after_import("keras.src.trainers.trainer", _wrap)


def _wrap(module: ModuleType) -> None:
    # Keras 3.16 renames `Trainer` to `BaseTrainer`.
    trainer = getattr(module, "BaseTrainer", None) or module.Trainer
    original = trainer.compile
    if hasattr(original, _NAME):
        return
    signature = inspect.signature(original)

    @functools.wraps(original)
    def compile(self, *args, **kwargs):
        original(self, *args, **kwargs)
        arguments = signature.bind(self, *args, **kwargs).arguments
        vars(self)[_NAME] = arguments.get("jit_compile", "auto")

    setattr(compile, _NAME, True)
    trainer.compile = compile
