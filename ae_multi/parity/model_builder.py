"""Import and build the model of a check in the same way in every process."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ae_multi.errors import InputError, in_a_line

if TYPE_CHECKING:
    import numpy as np

    from ae_multi._keras import keras


def reference_to(build_model: Callable[[], keras.Model] | str) -> str:
    """Return a reference to a model: "module:name", "file.py:name" or "file.keras".

    Another process imports the function from this reference, see `find`.

    Raises:
        InputError: a lambda, a nested function, a function typed at a prompt, or no function.
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
            f"Received: {name}, which is not defined in a file."
        ) from None


def find(reference: str) -> Callable[[], Any]:
    """Return the function that a reference names; for a .keras file, a function that loads it.

    Raises:
        InputError: the module, file or function does not exist, or its import fails.
    """
    if reference.endswith(".keras"):
        from ae_multi.parity.model_file import load_model_file

        return partial(load_model_file, reference)
    place, separator, name = reference.rpartition(":")
    if not separator or not place or not name:
        raise InputError(
            "Expected a build function as module:function or file.py:function, or a .keras file. "
            f"Received: {reference!r}."
        )
    try:
        module = _from_file(place) if place.endswith(".py") else importlib.import_module(place)
    except Exception as error:  # a user's module can raise any exception
        raise InputError(
            f"Expected to be able to import {place}. Received: {in_a_line(error)}."
        ) from error
    if not callable(getattr(module, name, None)):
        found = f"a {type(getattr(module, name)).__name__}" if hasattr(module, name) else "none"
        raise InputError(f"Expected a function {name} in {place}. Received: {found}.")
    return getattr(module, name)


def _from_file(path: str) -> ModuleType:
    """Import a file. Its folder is added to `sys.path`, so it can import modules from there."""
    folder = str(Path(path).resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    spec: Any = importlib.util.spec_from_file_location(Path(path).stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def build(reference: str, inputs: Sequence[np.ndarray]) -> keras.Model:
    """Build the model of a reference, create its weights for ``inputs``, and compile it.

    A model that is not compiled is compiled with Adam and the mean squared error.

    Args:
        reference: reference to the build function, see `find`.
        inputs: arrays of samples, one for each input of the model.

    Raises:
        InputError: the function cannot be found, fails or does not return a Keras model, or the
            model does not accept the inputs.
    """
    from ae_multi._keras import keras

    try:
        model = find(reference)()
    except InputError:
        raise
    except Exception as error:  # a user's function can raise any exception
        raise InputError(
            f"Expected {reference} to build a model. Received: {in_a_line(error)}."
        ) from error
    if not isinstance(model, keras.Model):
        raise InputError(
            f"Expected {reference} to return a Keras model. Received: {type(model).__name__}."
        )
    try:
        model(one_or_list([array[:2] for array in inputs]))
    except Exception as error:  # wrong shapes raise different exceptions on each backend
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


def check_targets(
    reference: str,
    model: keras.Model,
    inputs: Sequence[np.ndarray],
    targets: Sequence[np.ndarray],
) -> None:
    """Raise `InputError` unless the model's loss accepts the targets.

    Args:
        reference: reference to the build function, for the message.
        model: a compiled model that accepts ``inputs``.
        inputs: arrays of samples, one for each input.
        targets: arrays of samples, one for each output.
    """
    from ae_multi._keras import keras

    x, y = (
        one_or_list([keras.ops.convert_to_tensor(array[:2]) for array in arrays])
        for arrays in (inputs, targets)
    )
    y_pred = model(x)
    try:
        outputs = len(keras.tree.flatten(y_pred))
        if outputs != len(targets):
            raise ValueError(f"{len(targets)} targets for {outputs} outputs")
        model.compute_loss(x=x, y=y, y_pred=y_pred, training=False)
    except Exception as error:  # a loss can raise any exception
        shapes = ", ".join(str(array.shape) for array in targets)
        raise InputError(
            f"Expected the loss of {reference} to take targets of shapes {shapes}. "
            f"Received: {in_a_line(error)}."
        ) from error


def _input_shapes(model: keras.Model) -> str | None:
    """Return the model's input shapes as text, "(n, 28, 28, 1)", or None if they are unknown."""
    try:
        shapes = model.input_shape
    except AttributeError:  # a subclassed model has no fixed shape
        return None
    return ", ".join(map(_with_n, shapes if isinstance(shapes, list) else [shapes]))


def _with_n(shape: Sequence[int | None]) -> str:
    """Return a shape as text, with n samples: "(n, 28, 28, 1)"."""
    return f"({', '.join(['n', *map(str, shape[1:])])})"


def one_or_list(arrays: Sequence[Any]) -> Any:
    """Return the only array, or a list of several, as Keras expects its inputs."""
    return arrays[0] if len(arrays) == 1 else list(arrays)
