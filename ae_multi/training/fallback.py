"""Conditions under which Keras's own `fit` or `evaluate` has to run a model."""

from ae_multi._keras import keras
from ae_multi.backend_selection import BACKENDS


def why_keras(model: keras.Model) -> str | None:
    """Return the reason why only Keras can run the steps of ``model``, or None."""
    if keras.config.backend() not in BACKENDS:
        return f"the backend {keras.config.backend()} does not support training"
    if model.run_eagerly:
        return "the model is compiled with run_eagerly=True"
    if type(model).make_train_function is not keras.Model.make_train_function:
        return "the model overrides make_train_function"
    if keras.distribution.distribution() is not None:
        return "keras.distribution distributes the model over devices"
    if getattr(model, "_distribute_strategy", None) is not None:
        return "a tf.distribute strategy distributes the model"
    if keras.config.backend() == "jax" and not model.jit_compile:
        return (
            "the model is compiled with jit_compile=False, as are models from Keras files that "
            "PyTorch saved (set model.jit_compile = None to let the backend decide)"
        )
    return None
