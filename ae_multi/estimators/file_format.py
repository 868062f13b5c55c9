"""File format of fitted estimators: class, parameters, fitted attributes and provenance.

Loading never executes code: the class is one of a fixed list, arrays contain no objects, and models
load in Keras's safe mode.
"""

from __future__ import annotations

import importlib
import os
import re
from typing import TYPE_CHECKING, Any

from ae_multi._keras import keras
from ae_multi.argument_checks import as_plain
from ae_multi.errors import InputError
from ae_multi.estimators import preprocessor_state
from ae_multi.estimators.fitted import check_fitted
from ae_multi.estimators.packing import from_bytes, to_bytes
from ae_multi.estimators.preprocessing import TablePreprocessor
from ae_multi.io.archive import ArchiveFormat
from ae_multi.io.atomic import check_writable
from ae_multi.io.serialization import PartsReader, PartsWriter

if TYPE_CHECKING:
    from ae_multi.estimators.base import NetworkEstimator

FORMAT = ArchiveFormat("an estimator", format=1)
CLASSES = {
    "AnomalyDetector": "detector",
    "AutoencoderTransformer": "transformer",
    "Denoiser": "denoiser",
    "Segmenter": "segmenter",
}


class EstimatorWriter(PartsWriter):
    """A `PartsWriter` that also writes Keras models and preprocessors."""

    holds = "numbers, text or a Keras model"

    def plain(self, value: Any, name: str) -> Any:
        """Return ``value`` as a JSON value; see `PartsWriter.plain`."""
        if isinstance(value, keras.Model):
            return {"model": self.part("models", "keras", to_bytes(value))}
        if isinstance(value, TablePreprocessor):
            return {"preprocessor": self.plain(preprocessor_state.to_plain(value), name)}
        return super().plain(value, name)


class EstimatorReader(PartsReader):
    """Reader of the values that an `EstimatorWriter` wrote."""

    def kind(self, kind: str, content: Any) -> Any:
        """Return a value of a type that JSON does not have; see `PartsReader.kind`."""
        if kind == "model":
            return from_bytes(self.read_part(content))
        if kind == "preprocessor":
            return preprocessor_state.from_plain(self.value(content))
        return super().kind(kind, content)


def save(estimator: NetworkEstimator, path: os.PathLike[str] | str) -> None:
    """Write ``estimator`` to ``path`` atomically; see `NetworkEstimator.save`."""
    name = type(estimator).__name__
    if name not in CLASSES or type(estimator) is not _class(name):
        raise InputError(
            f"Expected one of {', '.join(CLASSES)}, the classes that a file can contain. "
            f"Received: {type(estimator).__module__}.{type(estimator).__qualname__}."
        )
    path = check_writable(path, "the estimator")
    writer = EstimatorWriter()
    parameters = {name: as_plain(value) for name, value in estimator.get_params(deep=False).items()}
    if parameters["random_state"] is not None:
        parameters["random_state"] = estimator.seed_  # a RandomState is saved as its seed
    if parameters["checkpoint"] is not None:
        parameters["checkpoint"] = os.fspath(parameters["checkpoint"])
    fitted = {key: value for key, value in vars(estimator).items() if _is_fitted(key)}
    manifest = {
        "class": name,
        "parameters": {key: writer.plain(value, key) for key, value in parameters.items()},
        "fitted": {key: writer.plain(value, key) for key, value in fitted.items()},
    }
    FORMAT.write(path, manifest, writer.parts)


def load(path: os.PathLike[str] | str, cls: type) -> Any:
    """Return the estimator in the file ``path``, an instance of ``cls``.

    Raises:
        InputError: as `load_estimator`, or an estimator of another class.
    """
    manifest, parts = FORMAT.read(path)
    name = manifest.get("class")
    if not isinstance(name, str) or name not in CLASSES:
        raise InputError(
            f"Expected {path} to hold one of {', '.join(CLASSES)}. Received: {name!r:.80}, which "
            "this version of ae_multi does not know."
        )
    if not issubclass(_class(name), cls):
        raise InputError(
            f"Expected {path} to hold an estimator of the class {cls.__name__}. Received: {name}."
        )
    reader = EstimatorReader(parts)
    try:
        parameters = {key: reader.value(of) for key, of in manifest["parameters"].items()}
        fitted = {key: reader.value(of) for key, of in manifest["fitted"].items()}
        unexpected = [key for key in fitted if not _is_fitted(key)]
        if unexpected:
            raise ValueError(f"{unexpected[0]!r} is not a fitted attribute")
        estimator = _class(name)(**parameters)
        estimator._check_parameters()
        vars(estimator).update(fitted)
        check_fitted(estimator)
    except Exception as error:  # an altered file can cause any error, also in Keras
        raise InputError(
            f"Expected a complete file of an estimator. Received: {path}, which cannot be read "
            f"({type(error).__name__}: {error})."
        ) from error
    return estimator


def load_estimator(path: os.PathLike[str] | str) -> Any:
    """Read a fitted estimator that `save` wrote, for the current backend.

    Loading never executes code.

    Args:
        path: file to read.

    Returns:
        The estimator, of the class that was saved.

    Raises:
        InputError: no such file, or a file that is truncated, altered, of a newer format or of an
            unknown class.

    Example:
        >>> detector.save("pumps.ae")
        >>> detector = ae_multi.load_estimator("pumps.ae")
    """
    return load(path, object)


def _class(name: str) -> type:
    return getattr(importlib.import_module(f"ae_multi.estimators.{CLASSES[name]}"), name)


def _is_fitted(name: str) -> bool:
    return re.fullmatch(r"[a-z]\w*[a-z0-9]_", name) is not None
