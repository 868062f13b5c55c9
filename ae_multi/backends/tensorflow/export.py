"""Files that TensorFlow makes: SavedModel, and LiteRT."""

import tempfile
import warnings
from importlib import metadata
from importlib.util import find_spec

import tensorflow as tf

_SIGNATURE = "serving_default"


def write(model, format, path):
    """Write a functional Keras model from "input" to a dict of outputs, for any batch size."""
    if format == "savedmodel":
        _save(model, path)
        return
    with tempfile.TemporaryDirectory() as folder:
        _save(model, folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        path.write_bytes(converter.convert())


def run(format, path, batches):
    """What the file makes of each batch, by its own runtime: a list of dicts of arrays."""
    if format == "savedmodel":
        loaded = tf.saved_model.load(str(path))
        serve = loaded.signatures[_SIGNATURE]
        return [
            {name: value.numpy() for name, value in serve(input=tf.constant(batch)).items()}
            for batch in batches
        ]
    serve = _interpreter(str(path)).get_signature_runner(_SIGNATURE)
    return [{name: value.copy() for name, value in serve(input=b).items()} for b in batches]


def versions(format):
    """Versions of what makes and runs the format."""
    found = {"tensorflow": tf.__version__}
    if format == "litert" and find_spec("ai_edge_litert"):
        found["ai-edge-litert"] = metadata.version("ai-edge-litert")
    return found


def _save(model, path):
    spec = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="input")

    @tf.function(input_signature=[spec])
    def serve(inputs):
        return model(inputs, training=False)

    module = tf.Module()
    module.held = [variable.value for variable in model.variables]
    tf.saved_model.save(module, str(path), signatures={_SIGNATURE: serve})


def _interpreter(path):
    if find_spec("ai_edge_litert"):
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter(path)
    with warnings.catch_warnings():
        # Its successor is the package above; they run files alike.
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated", UserWarning)
        return tf.lite.Interpreter(path)
