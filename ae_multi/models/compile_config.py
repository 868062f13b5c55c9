"""Compile configurations that every backend can load."""

from typing import TYPE_CHECKING, Any

from ae_multi import _jit_compile
from ae_multi._keras_internals import is_backend_class

if TYPE_CHECKING:
    from ae_multi._keras import keras


def remove_backend_settings(compile_config: dict[str, Any] | None, model: "keras.Model") -> None:
    """Remove settings of the running backend from the compile configuration of a model.

    On PyTorch, Keras records the optimizer as a private class of that backend, which no other
    backend can load. The public class of the same name replaces it. As ``jit_compile``, Keras
    records the resolved value of "auto": False on PyTorch, True on JAX. Loaded on the other
    backend, these mean steps without a compiler on JAX and half a minute in Inductor on PyTorch
    (Keras 3.15). "auto" replaces a value that Keras has chosen.

    Args:
        compile_config: the result of `keras.Model.get_compile_config`; changed in place.
        model: the Keras model that it belongs to.
    """
    if not compile_config:  # the model is not compiled
        return
    use_public_optimizers(compile_config)
    is_default = compile_config.get("jit_compile") == _default_jit_compile(model)
    if is_default and not _jit_compile.is_refused(model):
        compile_config["jit_compile"] = "auto"


def use_public_optimizers(compile_config: dict[str, Any]) -> None:
    """Replace a backend's private optimizer classes by the public ones of the same name.

    Args:
        compile_config: a compile configuration, also of a file; changed in place.
    """
    optimizer = compile_config.get("optimizer")
    while isinstance(optimizer, dict):
        if is_backend_class(str(optimizer.get("module"))):
            optimizer.update(module="keras.optimizers", registered_name=None)
        config = optimizer.get("config")
        # A LossScaleOptimizer, for float16, contains the optimizer.
        optimizer = config.get("inner_optimizer") if isinstance(config, dict) else None


def _default_jit_compile(model: "keras.Model") -> bool:
    """Return the value of ``jit_compile`` that Keras chooses for ``model`` on this backend."""
    setting = model.jit_compile
    model.jit_compile = None
    default = model.jit_compile
    model.jit_compile = setting
    return default
