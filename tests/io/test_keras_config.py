"""Model configs that would execute code, read files or take much memory are refused."""

import json
import os
import pickle
import re
import tracemalloc

import numpy as np
import pytest

import ae_multi
from ae_multi.errors import InputError
from ae_multi.io import keras_config
from tests.reference.pages import ROOT
from tests.robustness.fuzz.archives import with_bomb
from tests.robustness.fuzz.values import CODE, MARK

pytestmark = [pytest.mark.backend]

once = pytest.mark.once


def object_of(module, name, config=None, kind=None):
    """Return the config of an object as Keras serializes it."""
    return {
        "module": module,
        "class_name": kind or name,
        "config": config if config is not None else {},
        "registered_name": None,
    }


def sequential(*layers):
    """Return the JSON of a sequential model of these layers, with an input of five values."""
    first = object_of("keras.layers", "InputLayer", {"batch_shape": [None, 5]})
    return json.dumps(
        object_of("keras", "Sequential", {"name": "it", "layers": [first, *layers]})
    ).encode()


def test_rewritten_file_loads(load):
    assert load().encode(np.zeros((2, 5), np.float32)).shape == (2, 3)


class Bomb:
    def __reduce__(self):
        return (os.system, (f"touch {MARK}",))


# Building these with Keras would execute code, import a module or read a file.
ATTACKS = {
    "lambda": object_of("keras.layers", "Lambda", {"function": object_of("builtins", "f", {
        "value": "4wEAAAA=", "defaults": None, "closure": None}, "__lambda__")}),
    "bare lambda": {"class_name": "__lambda__", "config": {"value": "4wEAAAA="}},
    "pickled module": object_of("keras.layers", "TorchModuleWrapper", {"module": "gASVAAAA"}),
    "saved model": object_of("keras.layers", "TFSMLayer", {"filepath": "/tmp/evil"}),
    "vocabulary": object_of("keras.layers", "StringLookup", {"vocabulary": "/etc/passwd"}),
    "vocabulary of text": object_of("keras.layers", "TextVectorization",
                                    {"vocabulary": "/etc/passwd"}),
    "system": object_of("os", "system", "system", "function"),
    "posix": object_of("posix", "system", "system", "function"),
    "eval": object_of("os.path", "eval", "eval", "function"),
    "process": object_of("subprocess", "Popen", {"args": ["touch", MARK]}),
    "download": object_of("keras.utils", "get_file", "get_file", "function"),
    "weights": object_of("keras.applications", "ResNet50", "ResNet50", "function"),
    "unsafe": object_of("keras.config", "enable_unsafe_deserialization",
                        "enable_unsafe_deserialization", "function"),
    "loading": object_of("keras.saving", "load_model", "load_model", "function"),
    "private": object_of("keras.src.saving.saving_api", "load_model"),
    "dotted": object_of("keras", "layers.TorchModuleWrapper", {"module": "gASVAAAA"}),
    "import": object_of("keras.src.backend.openvino.core", "Layer"),
    "other import": object_of("antigravity", "fly"),
    "type": {"class_name": "__typespec__", "spec_name": "system", "module": "os", "config": [],
             "registered_name": None},
    "no module": {"class_name": "Dense", "config": {"units": 5}},
    "no name": {"class_name": ["Dense"], "config": {"units": 5}, "module": "keras.layers"},
    "callback": object_of("keras.callbacks", "CSVLogger", {"filename": MARK}),
}  # fmt: skip


@once
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_code_in_a_config_is_refused_before_keras_loads_it(load, keras, attack, monkeypatch):
    monkeypatch.setattr(keras.saving, "load_model", lambda *_, **__: pytest.fail("called"))
    message = "layers that only compute, and of registered classes"
    with pytest.raises(InputError, match=message):
        load(config=sequential(attack))
    hidden = object_of("keras.layers", "Dense", {"units": 5, "activation": attack})
    with pytest.raises(InputError, match=message):
        load(config=sequential(object_of("keras.layers", "TimeDistributed", {"layer": hidden})))


@once
def test_global_unsafe_mode_of_keras_has_no_effect(load, keras):
    source = object_of("builtins", "f", {"value": "4wEAAAA="}, "__lambda__")
    before = keras.src.saving.serialization_lib.in_safe_mode()
    keras.config.enable_unsafe_deserialization()
    try:
        with pytest.raises(InputError, match="only compute, and of registered"):
            load(config=sequential(object_of("keras.layers", "Lambda", {"function": source})))
    finally:
        keras.src.backend.common.global_state.set_global_attribute("safe_mode_saving", before)


@once
def test_safe_mode_of_keras_is_used_as_well(load, keras, monkeypatch):
    monkeypatch.setattr(keras_config, "check", lambda *_: None)
    source = object_of("builtins", "f", {"value": "4wEAAAA="}, "__lambda__")
    dense = object_of("keras.layers", "Dense", {"units": 5, "activation": source})
    with pytest.raises(InputError, match="Keras cannot load") as refused:
        load(config=sequential(dense))
    assert "arbitrary code execution" in str(refused.value.__cause__)


@once
def test_every_keras_layer_is_allowed_or_refused(keras):
    """Each new layer of Keras must be reviewed before files may contain it."""
    layers = {name for name in dir(keras.layers) if isinstance(getattr(keras.layers, name), type)}
    assert layers == keras_config.LAYERS | keras_config.REFUSED
    assert not keras_config.LAYERS & keras_config.REFUSED


def test_custom_class_loads_only_if_registered(keras, tmp_path):
    page = (ROOT / "docs" / "files.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    namespace = {"keras": keras}
    exec(code, namespace)
    Twice = namespace["Twice"]  # noqa: N806
    encoder = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2), Twice()])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(5)])
    model, x = ae_multi.Autoencoder(encoder, decoder, seed=0), np.ones((2, 5), np.float32)
    model.save(tmp_path / "model.keras")
    again = ae_multi.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.encode(x), model.encode(x), rtol=1e-6)
    del keras.saving.get_custom_objects()["mine>Twice"]
    with pytest.raises(InputError, match=r"registered classes\. Received: the class .*Twice"):
        ae_multi.load_model(tmp_path / "model.keras")


def test_functional_models_losses_metrics_and_schedules_load(keras, tmp_path):
    inputs = keras.Input((5,))
    hidden = keras.layers.Dense(4, activation="tanh", kernel_regularizer="l2")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(5)(keras.ops.relu(hidden) + hidden))
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10**8)
    model.compile(
        keras.optimizers.SGD(schedule),
        keras.losses.Huber(),
        metrics=["mae", keras.metrics.RootMeanSquaredError()],
    )
    x = np.ones((4, 5), np.float32)
    model.fit(x, x, verbose=0)
    model.save(tmp_path / "model.keras")
    again = ae_multi.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5)


@once
@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (object_of("keras.layers", "Dense", {"units": 10**9}), "units=1000000000"),
        (object_of("keras.layers", "Dense", {"units": 10**7}), "a model of the size of its"),
        (object_of("keras.layers", "Embedding", {"input_dim": 10**7, "output_dim": 10**3}),
         "a model of the size of its"),
        (object_of("keras.layers", "Dense", {"units": 3, "kernel_initializer": object_of(
            "keras.initializers", "Constant", {"value": {"class_name": "__numpy__", "config": {
                "value": ["a"], "dtype": "<U1000000000"}}})}), "type '<U1000000000'"),
    ],
    ids=["units", "weights", "table", "text"],
)  # fmt: skip
def test_model_larger_than_its_weights_is_refused_without_allocation(load, layer, message):
    tracemalloc.start()
    with pytest.raises(InputError, match=message):
        load(config=sequential(layer))
    assert tracemalloc.get_traced_memory()[1] < 1 << 27
    tracemalloc.stop()


@once
def test_oversized_metric_config_is_refused(load):
    config = json.loads(sequential(object_of("keras.layers", "Dense", {"units": 5})))
    config["compile_config"] = {"optimizer": "adam", "loss": "mse", "metrics": [
        object_of("keras.metrics", "AUC", {"num_thresholds": 10**7})]}  # fmt: skip
    with pytest.raises(InputError, match="num_thresholds=10000000"):
        load(config=json.dumps(config))


@once
def test_size_limit_is_removed_after_a_refusal(load, keras):
    with pytest.raises(InputError, match="a model of the size of its"):
        load(config=sequential(object_of("keras.layers", "Dense", {"units": 10**6})))
    assert keras.layers.Embedding(10**6, 2).build() is None


@once
def test_invalid_entries_are_refused(load, model_entries, tmp_path):
    with pytest.raises(InputError, match="leaves the folder"):
        load(**{"assets/../../x": b"x"})
    with pytest.raises(InputError, match=r"and model\.weights\.h5\. Received"):
        load(**{"model.weights.npz": b"x"})
    with pytest.raises(InputError, match="HDF5 file of numbers alone"):
        load(weights=pickle.dumps(CODE))
    with pytest.raises(InputError, match="the key 'class_name' twice"):
        load(config=b'{"class_name": "Dense", "class_name": "Lambda"}')
    bomb = with_bomb(model_entries, "model.weights.h5", 10 << 30)  # declared as 2 GiB
    (tmp_path / "bomb.keras").write_bytes(bomb)
    with pytest.raises(InputError, match="that would unpack to"):
        ae_multi.load_model(tmp_path / "bomb.keras")


@once
def test_hdf5_models_and_folders_are_refused(keras, tmp_path):
    model = keras.Sequential([keras.Input((5,)), keras.layers.Lambda(lambda x: x)])
    model.save(tmp_path / "old.h5")
    with pytest.raises(InputError, match="zip archive"):
        ae_multi.load_model(tmp_path / "old.h5")
    with pytest.raises(InputError, match="which is not a file"):
        ae_multi.load_model(tmp_path)


def teardown_module():
    assert not os.path.exists(MARK), "a file has executed code"
