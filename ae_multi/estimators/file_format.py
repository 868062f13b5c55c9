"""A fitted estimator in one file: its class, parameters, fitted values and provenance.

The class is one of a list, arrays hold no objects, models load in Keras's safe mode: nothing in
a file names code.
"""

import importlib
import os
import re

from ae_multi.errors import InputError
from ae_multi.estimators.fitted import check_fitted
from ae_multi.estimators.model_serialization import EstimatorReader, EstimatorWriter
from ae_multi.io.archive import ArchiveFormat
from ae_multi.io.atomic import check_writable
from ae_multi.validation import as_plain

FORMAT = ArchiveFormat("an estimator", format=1)
CLASSES = {
    "AnomalyDetector": "detector",
    "AutoencoderTransformer": "transformer",
    "Denoiser": "denoiser",
    "Segmenter": "segmenter",
}


def save(estimator, path):
    """Write ``estimator`` to ``path``, whole or not at all; see `NetworkEstimator.save`."""
    name = type(estimator).__name__
    if name not in CLASSES or type(estimator) is not _class(name):
        raise InputError(
            f"Expected one of {', '.join(CLASSES)}, which a file can name. "
            f"Received: {type(estimator).__module__}.{type(estimator).__qualname__}."
        )
    path = check_writable(path, "the estimator")
    writer = EstimatorWriter()
    given = estimator.get_params(deep=False)
    parameters = {name: as_plain(value) for name, value in given.items()}
    if parameters["random_state"] is not None:
        parameters["random_state"] = estimator.seed_  # a RandomState stands for what it drew
    if parameters["checkpoint"] is not None:
        parameters["checkpoint"] = os.fspath(parameters["checkpoint"])
    fitted = {key: value for key, value in vars(estimator).items() if _is_fitted(key)}
    manifest = {
        "class": name,
        "parameters": {key: writer.plain(value, key) for key, value in parameters.items()},
        "fitted": {key: writer.plain(value, key) for key, value in fitted.items()},
    }
    FORMAT.write(path, manifest, writer.parts)


def load(path, cls):
    """The estimator in the file ``path``, of the class ``cls`` or one that inherits from it."""
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
            raise ValueError(f"{unexpected[0]!r} is no fitted attribute")
        estimator = _class(name)(**parameters)
        estimator._check_parameters()
        vars(estimator).update(fitted)
        check_fitted(estimator)
    except Exception as error:  # an altered file may break reading anywhere, in Keras too
        raise InputError(
            f"Expected a whole file of an estimator. Received: {path}, which cannot be read "
            f"({type(error).__name__}: {error})."
        ) from error
    return estimator


def load_estimator(path):
    """Read any estimator that `save` wrote, on whichever backend runs now.

    Example:
        >>> detector.save("pumps.ae")
        >>> detector = ae_multi.load_estimator("pumps.ae")

    Raises:
        InputError: no such file, or one that is cut short, altered, of a newer format or of an
            unknown class. Nothing in a file is ever run.
    """
    return load(path, object)


def _class(name):
    return getattr(importlib.import_module(f"ae_multi.estimators.{CLASSES[name]}"), name)


def _is_fitted(name):
    return re.fullmatch(r"[a-z]\w*[a-z0-9]_", name) is not None
