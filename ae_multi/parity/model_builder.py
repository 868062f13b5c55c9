"""The model under comparison: found, built, fed and started the same in every process."""

import importlib
import importlib.util
import inspect
import sys
from pathlib import Path

from ae_multi.errors import InputError, in_a_line


def reference_to(build_model):
    """A string from which another process finds the function: "module:name" or "file.py:name".

    Raises:
        InputError: a lambda, a function inside a function, or one typed at a prompt.
    """
    if isinstance(build_model, str):
        return build_model
    name = getattr(build_model, "__qualname__", "")
    if not callable(build_model) or not name.isidentifier():
        raise InputError(
            "Expected a function that another process can import: one with a name, at the top "
            f"level of a module. Received: {name or repr(build_model)}."
        )
    if build_model.__module__ != "__main__":
        return f"{build_model.__module__}:{name}"
    try:
        return f"{Path(inspect.getfile(build_model)).resolve()}:{name}"
    except (TypeError, OSError):
        raise InputError(
            "Expected a function that another process can import. "
            f"Received: {name}, which no file holds."
        ) from None


def find(reference):
    """The function behind a reference.

    Raises:
        InputError: no such module, file or function, or one that fails while it is imported.
    """
    place, found, name = reference.rpartition(":")
    if not found or not place or not name:
        raise InputError(
            "Expected a build function as module:function or file.py:function. "
            f"Received: {reference!r}."
        )
    try:
        module = _from_file(place) if place.endswith(".py") else importlib.import_module(place)
    except Exception as error:  # the user's module may fail in any way
        raise InputError(
            f"Expected to be able to import {place}. Received: {in_a_line(error)}."
        ) from error
    if not callable(getattr(module, name, None)):
        raise InputError(f"Expected a function {name} in {place}. Received: there is none.")
    return getattr(module, name)


def _from_file(path):
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def build(reference, inputs):
    """The model that a reference builds, with weights for ``inputs`` and compiled.

    What is not compiled gets Adam and the mean squared error.

    Args:
        reference: as `find` takes it.
        inputs: list of arrays of samples, one for each input of the model.

    Raises:
        InputError: a function that fails or returns no Keras model, or a model that does not
            take the inputs.
    """
    from ae_multi._keras import keras

    try:
        model = find(reference)()
    except InputError:
        raise
    except Exception as error:  # the user's function may fail in any way
        raise InputError(
            f"Expected {reference} to build a model. Received: {in_a_line(error)}."
        ) from error
    if not isinstance(model, keras.Model):
        raise InputError(
            f"Expected {reference} to return a Keras model. Received: {type(model).__name__}."
        )
    try:
        model(one_or_list([array[:2] for array in inputs]))
    except Exception as error:  # shapes that do not fit fail differently on each backend
        received = ", ".join(_with_n(array.shape) for array in inputs)
        expected = _input_shapes(model)
        if expected is not None and expected != received:
            raise InputError(
                f"Expected inputs of shape {expected}, which {reference} takes. "
                f"Received: {received}."
            ) from error
        raise InputError(
            f"Expected {reference} to take inputs of shape {received}. "
            f"Received: {in_a_line(error)}."
        ) from error
    if not model.compiled:
        model.compile(optimizer="adam", loss="mse")
    return model


def check_targets(reference, model, inputs, targets):
    """Raise `InputError` unless the model's loss takes the targets.

    Args:
        reference: where the model came from, for the message.
        model: a compiled model that takes ``inputs``.
        inputs: list of arrays of samples, one for each input.
        targets: list of arrays of samples, one for each output.
    """
    from ae_multi._keras import keras

    x, y = (
        one_or_list([keras.ops.convert_to_tensor(array[:2]) for array in arrays])
        for arrays in (inputs, targets)
    )
    found = model(x)
    try:
        outputs = len(keras.tree.flatten(found))
        if outputs != len(targets):
            raise ValueError(f"{len(targets)} targets for {outputs} outputs")
        model.compute_loss(x=x, y=y, y_pred=found, training=False)
    except Exception as error:  # a loss may fail in any way
        shapes = ", ".join(str(array.shape) for array in targets)
        raise InputError(
            f"Expected the loss of {reference} to take targets of shapes {shapes}. "
            f"Received: {in_a_line(error)}."
        ) from error


def _input_shapes(model):
    """The shapes that ``model`` takes, "(n, 28, 28, 1)", or None where it does not say."""
    try:
        shapes = model.input_shape
    except AttributeError:  # a subclassed model has no fixed shape
        return None
    return ", ".join(map(_with_n, shapes if isinstance(shapes, list) else [shapes]))


def _with_n(shape):
    """A shape in words, with n samples: "(n, 28, 28, 1)"."""
    return f"({', '.join(['n', *map(str, shape[1:])])})"


def one_or_list(arrays):
    """What Keras takes for one input, or for several."""
    return arrays[0] if len(arrays) == 1 else list(arrays)
