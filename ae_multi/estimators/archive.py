"""A fitted estimator in one file, without pickle: what is in it, and how it is read with care.

The file is a zip archive, nothing in it compressed:

    manifest.json    format, class, parameters, fitted values, provenance, SHA-256 of the parts
    manifest.sha256  the manifest's own
    arrays/N.npy     arrays of numbers or text
    models/N.keras   Keras models: configuration, weights, optimizer

Digests tell damage and careless edits, not an attacker. Against one stands that nothing in a file
names code: the class is one of a list, arrays hold no objects, models load in Keras's safe mode.
"""

import hashlib
import importlib
import json
import re
import zipfile
from pathlib import Path

from ae_multi.errors import InputError
from ae_multi.estimators.plain import Reader, Writer
from ae_multi.files import check_writable, read_whole, written_whole

FORMAT = 1
CLASSES = {
    "AnomalyDetector": "detector",
    "AutoencoderTransformer": "transformer",
    "Denoiser": "denoiser",
    "Segmenter": "segmenter",
}
_MANIFEST, _DIGEST = "manifest.json", "manifest.sha256"


def save(estimator, path):
    """Write ``estimator`` to ``path``, whole or not at all; see `NetworkEstimator.save`."""
    name = type(estimator).__name__
    if name not in CLASSES or type(estimator) is not _class(name):
        raise InputError(
            f"Expected one of {', '.join(CLASSES)}, which a file can name. "
            f"Received: {type(estimator).__module__}.{type(estimator).__qualname__}."
        )
    path = check_writable(path, "the estimator")
    writer = Writer()
    parameters = estimator.get_params(deep=False)
    if parameters["random_state"] is not None:
        parameters["random_state"] = estimator.seed_  # a RandomState stands for what it drew
    fitted = {key: value for key, value in vars(estimator).items() if _is_fitted(key)}
    manifest = {
        "what": "ae_multi estimator",
        "format": FORMAT,
        "class": name,
        "parameters": {key: writer.plain(value, key) for key, value in parameters.items()},
        "fitted": {key: writer.plain(value, key) for key, value in fitted.items()},
        "parts": {part: _sha256(content) for part, content in writer.parts.items()},
    }
    text = json.dumps(manifest, indent=1, allow_nan=False).encode()
    entries = {_MANIFEST: text, _DIGEST: _sha256(text).encode(), **writer.parts}
    with written_whole(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for part, content in entries.items():
            archive.writestr(part, content)


def load(path, cls):
    """The estimator in the file ``path``, of the class ``cls`` or one that inherits from it."""
    path = Path(path)
    manifest, parts = _read(path)
    name = manifest.get("class")
    if name not in CLASSES:
        raise InputError(
            f"Expected {path} to hold one of {', '.join(CLASSES)}. Received: {name!r}, which this "
            "version of ae_multi does not know."
        )
    if not issubclass(_class(name), cls):
        raise InputError(
            f"Expected {path} to hold an estimator of the class {cls.__name__}. Received: {name}."
        )
    reader = Reader(parts)
    try:
        parameters = {key: reader.value(of) for key, of in manifest["parameters"].items()}
        fitted = {key: reader.value(of) for key, of in manifest["fitted"].items()}
        strange = [key for key in fitted if not _is_fitted(key)]
        if strange:
            raise ValueError(f"{strange[0]!r} is no fitted attribute")
        estimator = _class(name)(**parameters)
    except Exception as error:  # an altered file may break reading anywhere, in Keras too
        raise InputError(
            f"Expected a whole file of an estimator. Received: {path}, which cannot be read "
            f"({type(error).__name__}: {error})."
        ) from error
    vars(estimator).update(fitted)
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


def _read(path):
    """(manifest, parts), every byte of both as it was written."""
    if not path.is_file():
        raise InputError(f"Expected the file of an estimator. Received: {path}, which is no file.")
    with read_whole(path, "file of an estimator"), zipfile.ZipFile(path) as archive:
        # Stored as they are, parts take no more memory than the file has bytes.
        packed = [entry.filename for entry in archive.infolist() if entry.compress_type]
        names = [entry.filename for entry in archive.infolist()]
        if packed or len(set(names)) != len(names) or not {_MANIFEST, _DIGEST} <= set(names):
            raise InputError(
                f"Expected {path} to be the file of an estimator. Received: another zip archive."
            )
        parts = {name: archive.read(name) for name in names}
    text = parts.pop(_MANIFEST)
    if _sha256(text).encode() != parts.pop(_DIGEST):
        raise _altered(path, _MANIFEST)
    try:
        manifest = json.loads(text)
        written = manifest["format"]
        newer = written > FORMAT
    except (ValueError, KeyError, TypeError) as error:
        raise _altered(path, _MANIFEST) from error
    if newer:
        raise InputError(
            f"Expected a file of format {FORMAT} or older. Received: {path} of format {written}, "
            "which a newer version of ae_multi wrote."
        )
    stated = manifest.get("parts", {})
    for name in sorted({*stated, *parts}):
        if name not in parts or stated.get(name) != _sha256(parts[name]):
            raise _altered(path, name)
    return manifest, parts


def _altered(path, part):
    return InputError(
        f"Expected {path} as it was written. Received: another {part} than its digest tells of; "
        "the file was altered or damaged."
    )


def _class(name):
    return getattr(importlib.import_module(f"ae_multi.estimators.{CLASSES[name]}"), name)


def _is_fitted(name):
    return re.fullmatch(r"[a-z]\w*[a-z0-9]_", name) is not None


def _sha256(content):
    return hashlib.sha256(content).hexdigest()
