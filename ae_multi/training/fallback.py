"""What Keras's own `fit` must do, and why."""

from ae_multi._keras import keras
from ae_multi._keras_internals import has_distribute_strategy
from ae_multi.selection import BACKENDS


def why_keras(model):
    """The reason why steps of ``model`` cannot be run here, or None."""
    if keras.config.backend() not in BACKENDS:
        return f"the backend {keras.config.backend()} does not train"
    if model.run_eagerly:
        return "the model is compiled with run_eagerly=True"
    if type(model).make_train_function is not keras.Model.make_train_function:
        return "the model has a make_train_function of its own"
    if keras.distribution.distribution() is not None:
        return "keras.distribution spreads the model over devices"
    if has_distribute_strategy(model):
        return "a tf.distribute strategy holds the model"
    if keras.config.backend() == "jax" and not model.jit_compile:
        return (
            "the model is compiled with jit_compile=False, as are those in Keras's own files from "
            "PyTorch (model.jit_compile = None leaves it to the backend)"
        )
    return None
