"""Exported files, run by the runtime of their format, compared with the model."""

import os
import sys

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import ae_multi
from ae_multi.backend_selection import installed
from ae_multi.errors import ExportError, InputError
from ae_multi.exporting import formats
from tests.reference.pages import blocks

pytestmark = pytest.mark.backend

# The formats that each test environment can write and run.
NATIVE = {
    "torch": ["torch", "onnx"] if installed("onnxruntime") else ["torch"],
    "tensorflow": ["savedmodel", "litert"],
    "jax": ["stablehlo", "openvino"],
}
NAMES = {
    "torch": "m.pt2", "savedmodel": "m", "litert": "m.tflite", "openvino": "m.xml",
    "stablehlo": "m.stablehlo", "onnx": "m.onnx",
}  # fmt: skip
# The documented code that loads and runs a file of each format.
_RUN = [block.split("\n\n", 1)[1] for block in blocks("docs/export.md") if "outputs = " in block]
_FORMATS = ["onnx", "torch", "savedmodel", "litert", "openvino", "stablehlo"]
LOADERS = dict(zip(_FORMATS, _RUN, strict=True))


def run_file(name, path, x):
    """Run a file on ``x`` with the documented code; return a dict of output arrays."""
    names = {"x": x}
    if name == "openvino":
        sys.modules.setdefault("openvino_telemetry", None)  # it forks; JAX warns of forks
    code = LOADERS[name].replace(f'"zeros{path.suffix}"', f'"{path}"')
    assert str(path) in code
    if name == "litert" and not installed("ai_edge_litert"):  # TensorFlow contains it, too
        line = "from ai_edge_litert.interpreter import Interpreter"
        code = code.replace(line, "import tensorflow\nInterpreter = tensorflow.lite.Interpreter")
        with pytest.warns(UserWarning, match="tf.lite.Interpreter is deprecated"):
            exec(code, names)
    else:
        exec(code, names)
    return {output: _array(value) for output, value in names["outputs"].items()}


def _array(value):
    return value.detach().numpy() if hasattr(value, "detach") else np.asarray(value)


@pytest.fixture(scope="module")
def detector(digits):
    """Return a detector fitted on images of zeros with pixels from 0 to 255."""
    x, y = digits.x_train * 255, digits.y_train
    return ae_multi.AnomalyDetector(
        "simple", contamination="held_out", validation_fraction=0.3, epochs=20, neighbors=5
    ).fit(x[y == 0])


@pytest.mark.parametrize("part", ["model", "encoder", "decoder"])
def test_exported_files_equal_the_model(tmp_path, backend, digits, part):
    model = ae_multi.ConvAutoencoder(filters=(4, 8), latent_dim=5)
    codes = model.encode(digits.x_test)
    inputs, expected = {
        "model": (digits.x_test, model.reconstruct(digits.x_test)),
        "encoder": (digits.x_test, codes),
        "decoder": (codes, model.decode(codes)),
    }[part]
    for name in NATIVE[backend] if part == "model" else NATIVE[backend][:1]:
        path = tmp_path / NAMES[name]
        exported = model.export(path, part=part)
        assert exported.format == name
        assert exported.difference <= 3e-6
        assert exported.samples == 256
        output = "codes" if part == "encoder" else "reconstruction"
        assert list(exported.outputs) == [output]
        for size in (1, 2, 37):
            found = run_file(name, path, inputs[:size])
            assert list(found) == [output]
            largest = np.abs(expected[:size]).max()
            np.testing.assert_allclose(found[output], expected[:size], rtol=0, atol=3e-6 * largest)
        files = [file for file in tmp_path.rglob("*") if file.is_file()]
        assert exported.size == sum(file.stat().st_size for file in files)
        for file in files:
            assert b"ae_multi/" not in file.read_bytes(), "a file contains paths of this machine"
            file.unlink()


def test_exported_detector_equals_its_labels_and_scores(tmp_path, backend, digits, detector):
    x = digits.x_test * 255
    scores, labels = detector.anomaly_score(x), detector.predict(x)
    assert 0 < np.mean(labels == 1) < 1
    for name in NATIVE[backend]:
        exported = detector.export(tmp_path / NAMES[name], name, data=x)
        found = run_file(name, exported.path, x)
        assert set(found) == {"label", "score", "reconstruction"}
        np.testing.assert_array_equal(found["label"], labels)
        np.testing.assert_allclose(found["score"], scores, rtol=0, atol=3e-6 * scores.max())
        anomalous = digits.y_test != 0
        assert roc_auc_score(anomalous, found["score"]) == roc_auc_score(anomalous, scores)


def test_each_format_selects_the_same_classes(tmp_path, backend, keras):
    from ae_multi.estimators.graph_layers import Classes

    layers = [keras.layers.Conv2D(3, 1, activation="softmax"), Classes([3, 7, 900])]
    model = keras.Sequential([keras.Input((4, 5, 2)), *layers])
    x = np.random.default_rng(0).normal(size=(70, 4, 5, 2)).astype(np.float32)
    classes = np.argmax(keras.ops.convert_to_numpy(layers[0](x[:9])), axis=-1)
    for name in NATIVE[backend]:
        exported = ae_multi.export(model, tmp_path / NAMES[name], name, data=x)
        found = run_file(name, exported.path, x[:9])["output"]
        np.testing.assert_array_equal(found, np.array([3, 7, 900])[classes])
        assert set(np.unique(exported.outputs["output"])) == {3, 7, 900}


def test_any_keras_model_of_one_input_is_exported(tmp_path, backend, keras):
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2), keras.layers.Softmax()])
    name = NATIVE[backend][0]
    exported = ae_multi.export(model, tmp_path / NAMES[name], name)
    assert list(exported.outputs) == ["output"]
    x = np.random.default_rng(0).random((5, 6), np.float32)
    found = run_file(name, exported.path, x)["output"]
    np.testing.assert_allclose(found, model.predict(x, verbose=0), rtol=1e-6)
    with pytest.raises(InputError, match="part='model' for a Sequential, which has no encoder"):
        ae_multi.export(model, tmp_path / NAMES[name], name, part="encoder")


@pytest.fixture
def model():
    return ae_multi.SimpleAutoencoder(latent_dim=2, input_shape=(6,))


@pytest.mark.parametrize(
    ("path", "format", "options", "message"),
    [
        ("m.what", None, {}, "Expected a file named .onnx"),
        ("m.pt2", "onnx", {}, "Expected a file named .onnx for the format 'onnx'"),
        ("m.pt2", "savedmodel", {}, "Expected a folder, whose name has no suffix"),
        ("m.pt2", "mp3", {}, "Expected a format among onnx, torch"),
        ("missing/m.pt2", None, {}, "an existing folder"),
        ("there", "savedmodel", {}, "Expected a new folder, or one of a SavedModel"),
        ("m.pt2", None, {"part": "middle"}, "Expected a part among model, encoder, decoder"),
        ("m.pt2", None, {"pythons": {"theano": "python"}}, "Received: 'theano'"),
        ("m.pt2", None, {"pythons": {"torch": "/nowhere/python"}}, "an interpreter that can be"),
        ("m.pt2", None, {"data": np.zeros((3, 5))}, "Expected data of shape"),
        ("m.pt2", None, {"data": np.full((3, 6), np.nan)}, "Expected data to be finite"),
    ],
)
def test_invalid_arguments_are_refused_and_leave_no_file(
    tmp_path, monkeypatch, model, path, format, options, message
):
    monkeypatch.setattr(formats, "find_spec", lambda name: name)
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match=message):
        model.export(tmp_path / path, format, **options)
    assert os.listdir(tmp_path) == ["there"]
    assert not os.listdir(tmp_path / "there")


def test_other_objects_are_refused(tmp_path):
    with pytest.raises(InputError, match="Expected a Keras model or an estimator"):
        ae_multi.export("m.keras", tmp_path / "m.onnx", pythons={"torch": "python"})


@pytest.mark.parametrize("name", NAMES)
def test_error_lists_missing_packages(tmp_path, monkeypatch, model, name):
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    packages = {
        "onnx": "torch onnx onnxscript onnxruntime",
        "savedmodel": "tensorflow",
        "litert": "tensorflow",
        "stablehlo": "jax flatbuffers",
    }.get(name, name)
    with pytest.raises(ExportError, match=f"pip install {packages}, or name another"):
        model.export(tmp_path / NAMES[name], name)
    assert not os.listdir(tmp_path)


def test_unserializable_model_is_refused(tmp_path, keras):
    class Unserializable(keras.layers.Layer):
        def __init__(self, array):
            super().__init__()
            self.array = array

        def call(self, x):
            return x + 1

        def get_config(self):
            return {"array": self.array}

    model = keras.Sequential([keras.Input((2,)), Unserializable(object())])
    other = "onnx" if keras.config.backend() == "tensorflow" else "savedmodel"
    with pytest.raises(InputError, match="handed over to another process, of layers with a get_"):
        ae_multi.export(
            model,
            tmp_path / NAMES[other],
            pythons=dict.fromkeys(["torch", "tensorflow"], sys.executable),
        )
    assert not os.listdir(tmp_path)


def writer(backend):
    """Return the module that writes and runs a format on this backend, and the format."""
    import importlib

    return importlib.import_module(f"ae_multi.backends.{backend}.export"), NATIVE[backend][0]


def test_inexact_file_is_deleted(tmp_path, monkeypatch, backend, model):
    module, name = writer(backend)
    real, path = module.write, tmp_path / NAMES[name]

    def write_inexact(model, format, path):
        weights = model.get_weights()
        model.set_weights([weight * np.float32(1.0001) for weight in weights])
        real(model, format, path)
        model.set_weights(weights)

    monkeypatch.setattr(module, "write", write_inexact)
    with pytest.raises(ExportError, match=r"reconstruction within 1e-05 .* a difference of \d"):
        model.export(path, name)
    assert not os.listdir(tmp_path)
    monkeypatch.undo()
    before = model.export(path, name)
    monkeypatch.setattr(module, "write", write_inexact)
    with pytest.raises(ExportError, match="no file was left"):
        model.export(path, name)
    # The file of the earlier export is unchanged.
    x = np.random.default_rng(0).random((5, 6), np.float32)
    assert sum(f.stat().st_size for f in [path, *path.rglob("*")] if f.is_file()) == before.size
    np.testing.assert_allclose(
        run_file(name, path, x)["reconstruction"], model.reconstruct(x), rtol=0, atol=1e-6
    )
    monkeypatch.undo()
    model.export(path, name)
    assert os.listdir(tmp_path) == [path.name]


def test_failure_of_a_format_is_reported(tmp_path, backend, keras, monkeypatch):
    module, name = writer(backend)
    monkeypatch.setattr(module, "write", lambda *arguments: 1 / 0)
    model = ae_multi.SimpleAutoencoder(latent_dim=2, input_shape=(6,))
    with pytest.raises(ExportError, match=r"at which its tools fail \(ZeroDivisionError"):
        model.export(tmp_path / NAMES[name], name)
    assert not os.listdir(tmp_path)


def test_export_command_writes_a_saved_estimator(tmp_path, backend, digits, detector, capsys):
    from ae_multi.cli import main

    name = NATIVE[backend][0]
    detector.save(tmp_path / "zeros.ae")
    x = digits.x_test * 255
    np.save(tmp_path / "x.npy", x)
    out = tmp_path / NAMES[name]
    arguments = [
        "export", str(tmp_path / "zeros.ae"), "--out", str(out), "--format", name, "--data",
        str(tmp_path / "x.npy"), "--json", str(tmp_path / "exported.json"),
    ]  # fmt: skip
    assert main(arguments) == 0
    output = capsys.readouterr().out
    assert "outputs of the model on 360 samples" in output
    np.testing.assert_array_equal(run_file(name, out, x)["label"], detector.predict(x))
    assert main([*arguments[:4], "--format", "mp3"]) == 2
    assert "Expected a format among" in capsys.readouterr().err
