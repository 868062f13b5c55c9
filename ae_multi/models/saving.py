"""Models to disk in words that every backend understands, and back."""

from ae_multi import _jit_compile
from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.exporting.export import export
from ae_multi.io.atomic import atomic_write, check_writable
from ae_multi.models.reading import read_model
from ae_multi.training.epochs import epochs_of, set_epochs


class Portable(keras.Model):
    """A model that is saved so that every backend can load it, compiled as it was."""

    def get_compile_config(self):
        """How the model is compiled, in words that every backend understands, and its epochs."""
        config = super().get_compile_config()
        without_backend(config, self)
        if config and epochs_of(self).trained:
            config["epochs"] = list(epochs_of(self))
        return config

    def compile_from_config(self, config):
        """Compile as the saved model was; Keras leaves this to models with their own `compile`."""
        config = dict(config)
        set_epochs(self, *config.pop("epochs", ()))
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def export(self, filepath, format=None, *, part="model", data=None, pythons=None):
        """Write the model, or its "encoder" or "decoder", in a format that others run.

        See `ae_multi.export`, which takes any Keras model; this takes the place of Keras's own.
        """
        return export(self, filepath, format, part=part, data=data, pythons=pythons)

    def save(self, filepath, overwrite=True, **kwargs):
        """As `keras.Model.save`, but the file is written whole or not at all."""
        path = check_writable(filepath, "the model")
        if path.exists() and not overwrite:
            raise InputError(f"Expected a new file, as overwrite=False. Received: {path} exists.")
        if self.compiled and self.built and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)  # as it will be when it is loaded
        with atomic_write(path) as temporary:
            super().save(temporary, **kwargs)


def without_backend(compile_config, model):
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
        if str(optimizer["module"]).startswith("keras.src.backend"):
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


def load_model(path):
    """Load a model that `Autoencoder.save` wrote, on whichever backend runs now.

    Nothing in the file is run: it may name Keras's layers that compute and no more, this package's
    classes, and those of your own that you have registered with Keras; see docs/files.md.

    Raises:
        InputError: no such file, or no whole ``.keras`` file of a model.
    """
    return read_model(path)
