"""What a compiled model's configuration says, in words that every backend understands."""

from ae_multi import _jit_compile
from ae_multi._keras_internals import is_backend_class


def remove_backend_settings(compile_config, model):
    """Leave out of a model's compile configuration what only the backend that runs here knows.

    On PyTorch Keras writes down its optimizer by a private class of that backend, which no
    other backend can load; the public class of the same name stands for it. And it writes down
    as ``jit_compile`` what "auto" came to: False on PyTorch, True on JAX, which loaded on the
    other mean a step without a compiler, and half a minute in Inductor (Keras 3.15).

    Args:
        compile_config: what `keras.Model.get_compile_config` returned; changed in place.
        model: the Keras model it belongs to.
    """
    if not compile_config:  # the model is not compiled
        return
    optimizer = compile_config.get("optimizer")
    while isinstance(optimizer, dict):
        if is_backend_class(str(optimizer["module"])):
            optimizer.update(module="keras.optimizers", registered_name=None)
        # That of float16 holds another one, which scales no losses.
        optimizer = optimizer["config"].get("inner_optimizer")
    chosen = compile_config.get("jit_compile") == _chosen_by_keras(model)
    if chosen and not _jit_compile.is_refused(model):
        compile_config["jit_compile"] = "auto"


def _chosen_by_keras(model):
    """Whether Keras compiles the steps of ``model`` on this backend where it is not told."""
    setting = model.jit_compile
    model.jit_compile = None
    chosen = model.jit_compile
    model.jit_compile = setting
    return chosen
