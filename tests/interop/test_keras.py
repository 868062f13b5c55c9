"""Models converted to plain Keras models, and weights of Keras models and files."""

import os
import subprocess
import sys
from itertools import pairwise

import h5py
import numpy as np
import pytest

import ae_multi
from ae_multi.backend_selection import installed
from tests.reference import numpy_dense
from tests.reference.movable_models import MODELS, images_for, outputs_of, package_model, randomized

pytestmark = pytest.mark.backend

WITHOUT_PACKAGE = """
import sys
sys.modules["ae_multi"] = None  # as if the package were not installed
import keras, numpy as np
for name in sys.argv[1:]:
    model = keras.saving.load_model(name + ".keras")
    np.save(name + ".npy", model.predict(np.load(name + ".npy"), verbose=0))
"""
# Models that are tested on every backend; the others on one.
EVERYWHERE = ("simple", "variational", "words", "top-k", "square images")


@pytest.mark.parametrize(
    "name",
    [name if name in EVERYWHERE else pytest.param(name, marks=pytest.mark.once) for name in MODELS],
)
def test_plain_model_equals_the_model(name):
    model = MODELS[name]()
    x = images_for(model)
    plain, expected = ae_multi.to_keras(model), outputs_of(model, x)
    assert all(type(layer).__module__.startswith("keras.") for layer in plain._flatten_layers())
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(outputs_of(plain, x), expected, rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.once
def test_plain_model_loads_without_the_package(tmp_path):
    expected = {}
    for name in ("simple", "variational", "words", "top-k", "segmentation"):
        model = MODELS[name]()
        x = images_for(model)
        ae_multi.to_keras(model).save(tmp_path / f"{name}.keras")
        np.save(tmp_path / f"{name}.npy", x)
        expected[name] = outputs_of(model, x)
    process = subprocess.run(
        [sys.executable, "-c", WITHOUT_PACKAGE, *expected],
        cwd=tmp_path,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    for name, outputs in expected.items():
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), outputs, rtol=0, atol=1e-6)


@pytest.mark.once
def test_plain_model_has_the_usual_layers(keras):
    plain = ae_multi.to_keras(package_model("simple"))
    assert [layer.name for layer in plain.layers] == ["encoder", "decoder"]
    flatten, code = plain.get_layer("encoder").layers
    assert isinstance(flatten, keras.layers.Flatten)
    assert (code.name, code.units, code.activation) == ("code", 32, keras.activations.relu)


def sequential(keras):
    kl = keras.layers
    ends = [kl.Dense(784, "sigmoid"), kl.Reshape((28, 28, 1))]
    return keras.Sequential([keras.Input((28, 28, 1)), kl.Flatten(), kl.Dense(32, "relu"), *ends])


def parts(keras):
    """Return a subclassed model with an encoder and a decoder, as in tutorials."""
    kl = keras.layers

    class Tutorial(keras.Model):
        def __init__(self):
            super().__init__()
            # The decoder is created first, so that only the names give the right order.
            self.decoder = keras.Sequential([kl.Dense(784, "sigmoid"), kl.Reshape((28, 28, 1))])
            self.encoder = keras.Sequential([kl.Flatten(), kl.Dense(32, "relu")])

        def call(self, x):
            return self.decoder(self.encoder(x))

    return Tutorial()


def attributes(keras, **names):
    kl = keras.layers

    class Tutorial(keras.Model):
        def __init__(self):
            super().__init__()
            self.flat, self.shaped = kl.Flatten(), kl.Reshape((28, 28, 1))
            self.z_first = kl.Dense(32, "relu", name=names.get("first"))
            self.last = kl.Dense(784, "sigmoid", name=names.get("last"))

        def call(self, x):
            return self.shaped(self.last(self.z_first(self.flat(x))))

    return Tutorial()


def code_and_decoder(keras):
    kl = keras.layers

    class Tutorial(keras.Model):
        def __init__(self):
            super().__init__()
            self.flat, self.shaped = kl.Flatten(), kl.Reshape((28, 28, 1))
            self.decoder, self.encoder = kl.Dense(784, "sigmoid"), kl.Dense(32, "relu")

        def call(self, x):
            return self.shaped(self.decoder(self.encoder(self.flat(x))))

    return Tutorial()


COMMON_MODELS = {
    "Sequential": sequential,
    "parts": parts,
    "attributes": attributes,
    "layers as parts": code_and_decoder,
    "names": lambda keras: attributes(keras, first="a_code", last="b_pixels"),
}


@pytest.mark.parametrize("name", COMMON_MODELS)
@pytest.mark.parametrize(
    "form",
    ["model", *(pytest.param(form, marks=pytest.mark.once) for form in ("weights.h5", "keras"))],
)
def test_common_models_and_files_load(name, form, keras, tmp_path):
    model = COMMON_MODELS[name](keras)
    x = images_for(package_model("simple"))
    model(x)
    model.compile("adam", "mse")
    model.fit(x, x, epochs=1, verbose=0)
    randomized(model)
    source = model
    if form != "model":
        source = tmp_path / f"saved.{form}"
        model.save_weights(source) if form == "weights.h5" else model.save(source)
    target = package_model("simple")
    assert ae_multi.from_keras(source, target) is target
    found, expected = outputs_of(target, x), outputs_of(model, x)
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.once
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_hdf5_model_loads(keras, tmp_path):
    model, target = randomized(sequential(keras)), package_model("simple")
    model.save(tmp_path / "model.h5")
    ae_multi.from_keras(tmp_path / "model.h5", target)
    for found, expected in zip(target.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.once
def test_encoder_and_decoder_of_similar_layers_are_distinguished(keras, tmp_path):
    kl = keras.layers

    def build(seed):
        encoder = keras.Sequential([keras.Input((6,)), kl.Dense(6)])
        inner = [kl.Dense(6), kl.BatchNormalization(), kl.Dense(6)]
        decoder = keras.Sequential([keras.Input((6,)), *inner])
        return randomized(ae_multi.Autoencoder(encoder, decoder), seed)

    model, target = build(1), build(2)
    model.save_weights(tmp_path / "saved.weights.h5")
    ae_multi.from_keras(tmp_path / "saved.weights.h5", target)
    for found, expected in zip(target.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def write_tf_keras_file(path, sizes, group_name=None):
    """Write an HDF5 file of dense layers as tf.keras 2 did; return the weights."""
    rng = np.random.default_rng(0)
    weights = []
    with h5py.File(path, "w") as file:
        root = file.create_group(group_name) if group_name else file
        names = ["flatten", *(f"dense_{i}" for i in range(8, 8 + len(sizes) - 1))]
        root.attrs["layer_names"] = np.array(names, "S")
        root.create_group("flatten").attrs["weight_names"] = np.array([], "S")
        for name, shape in zip(names[1:], pairwise(sizes), strict=True):
            kernel = rng.normal(0, shape[0] ** -0.5, shape).astype(np.float32)
            weights += [kernel, rng.normal(0, 0.1, shape[1]).astype(np.float32)]
            group = root.create_group(name)
            keys = [f"{name}/kernel:0", f"{name}/bias:0"]
            group.attrs["weight_names"] = np.array(keys, "S")
            for key, array in zip(keys, weights[-2:], strict=True):
                group[key] = array
    return weights


@pytest.mark.once
@pytest.mark.parametrize("group_name", [None, "model_weights"])
def test_tf_keras_files_load(group_name, tmp_path):
    sizes = [784, 128, 64, 36, 18, 9, 18, 36, 64, 128, 784]
    weights = write_tf_keras_file(tmp_path / "old.h5", sizes, group_name)
    model = ae_multi.from_keras(tmp_path / "old.h5", ae_multi.DeepAutoencoder())
    activations = ["relu"] * 4 + ["linear"] + ["relu"] * 4 + ["sigmoid"]
    x = images_for(model)
    expected = numpy_dense.forward(weights, activations, x.reshape(len(x), -1))[-1]
    found = outputs_of(model, x).reshape(len(x), -1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.once
def test_late_tf_keras_weights_load(tmp_path):
    """tf.keras 2.12 to 2.15 wrote `.weights.h5` without names, and metrics next to the layers."""
    expected = package_model("simple").get_weights()
    with h5py.File(tmp_path / "old.weights.h5", "w") as file:
        for part, name in enumerate(("sequential", "sequential_1")):
            for index, array in enumerate(expected[2 * part : 2 * part + 2]):
                file[f"layers/{name}/layers/dense/vars/{index}"] = array
                file[f"optimizer/vars/{part}{index}"] = array
        file["metrics/mean/vars/0"] = np.float32(3)
    target = ae_multi.from_keras(tmp_path / "old.weights.h5", ae_multi.SimpleAutoencoder())
    for found, weight in zip(target.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(found, weight)


@pytest.mark.parametrize("name", ["conv", "square dense", "square images", "branches"])
def test_changed_weights_are_loaded_into_the_model(name, tmp_path):
    model = MODELS[name]()
    x = images_for(model)
    plain = randomized(ae_multi.to_keras(model), seed=5)
    expected = outputs_of(plain, x)
    assert abs(outputs_of(model, x) - expected).max() > 1e-5
    plain.save_weights(tmp_path / "plain.weights.h5")
    plain.save(tmp_path / "plain.keras")
    for source in (plain, tmp_path / "plain.weights.h5", str(tmp_path / "plain.keras")):
        target = ae_multi.from_keras(source, MODELS[name]())
        np.testing.assert_allclose(outputs_of(target, x), expected, rtol=0, atol=1e-6)


@pytest.mark.skipif(not installed("tensorflow"), reason="TensorFlow is not installed")
def test_saved_model_of_tensorflow_loads(keras, tmp_path):
    model = sequential(keras)
    x = images_for(package_model("simple"))
    randomized(model).export(tmp_path / "saved", verbose=False)
    target = ae_multi.from_keras(tmp_path / "saved", package_model("simple"))
    expected = outputs_of(model, x)
    np.testing.assert_allclose(outputs_of(target, x), expected, rtol=0, atol=1e-6)
    (tmp_path / "saved" / "variables" / "variables.index").write_bytes(b"no index")
    with pytest.raises(ae_multi.InputError, match="folder of a SavedModel"):
        ae_multi.from_keras(tmp_path / "saved", target)


@pytest.mark.skipif(installed("tensorflow"), reason="TensorFlow is installed")
def test_saved_model_without_tensorflow_is_refused(tmp_path):
    with pytest.raises(ae_multi.BackendError, match="pip install tensorflow"):
        ae_multi.from_keras(tmp_path, package_model("simple"))


@pytest.mark.once
def test_mismatched_weights_are_refused_and_change_nothing(keras, tmp_path):
    target = package_model("simple")
    before = target.get_weights()
    deep, narrow = tmp_path / "deep.keras", tmp_path / "narrow.weights.h5"
    package_model("deep").save(deep)
    ae_multi.SimpleAutoencoder(8).save_weights(narrow)
    (tmp_path / "text.h5").write_text("no HDF5")
    for source, message in [
        (deep, r"deep.keras.*2 dense. Received: 10 dense"),
        (narrow, r"dense.0' in .*narrow.*code/kernel.*\(784, 32\). Received: \(784, 8\)"),
        (tmp_path / "text.h5", "text.h5 to be an HDF5 file"),
        (tmp_path / "none.keras", "which is not a file"),
        (3, "Received: int"),
    ]:
        with pytest.raises(ae_multi.InputError, match=message):
            ae_multi.from_keras(source, target)
    for found, expected in zip(target.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.once
def test_links_to_other_files_are_refused(tmp_path):
    path = tmp_path / "linked.h5"
    write_tf_keras_file(path, [784, 32, 784])
    with h5py.File(path, "a") as file:
        del file["dense_8"]
        file["dense_8"] = h5py.ExternalLink("/etc/hostname", "/")
    with pytest.raises(ae_multi.InputError, match="ExternalLink"):
        ae_multi.from_keras(path, package_model("simple"))
