"""Export of a model as SavedModel or LiteRT."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from ae_multi._keras import keras

_SIGNATURE = "serving_default"


def write(model: keras.Model, format: str, path: Path) -> None:
    """Write ``model`` as a file in ``format``; see `ae_multi.backends.protocol.Exporter`."""
    if format == "savedmodel":
        _save(model, path)
        return
    with tempfile.TemporaryDirectory() as folder:
        _save(model, folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        path.write_bytes(converter.convert())


def run(format: str, path: Path, batches: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Return the outputs of the file for each batch, computed by the runtime of the format."""
    if format == "savedmodel":
        loaded = tf.saved_model.load(str(path))
        serve = loaded.signatures[_SIGNATURE]
        return [
            {name: value.numpy() for name, value in serve(input=tf.constant(batch)).items()}
            for batch in batches
        ]
    serve = _interpreter(str(path)).get_signature_runner(_SIGNATURE)
    return [{name: value.copy() for name, value in serve(input=b).items()} for b in batches]


def versions(format: str) -> dict[str, str]:
    """Return the versions of the packages that write and run ``format``."""
    packages = {"tensorflow": tf.__version__}
    if format == "litert" and find_spec("ai_edge_litert"):
        packages["ai-edge-litert"] = metadata.version("ai-edge-litert")
    return packages


def _save(model: keras.Model, path: os.PathLike[str] | str) -> None:
    spec = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="input")

    @tf.function(input_signature=[spec])
    def serve(inputs):
        return model(inputs, training=False)

    module = tf.Module()
    module.held = [variable.value for variable in model.variables]
    tf.saved_model.save(module, str(path), signatures={_SIGNATURE: serve})


def _interpreter(path: str) -> Any:
    if find_spec("ai_edge_litert"):
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter(path)
    with warnings.catch_warnings():
        # The deprecation names the package above as the successor; both give the same results.
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated", UserWarning)
        return tf.lite.Interpreter(path)
