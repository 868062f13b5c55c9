"""Loading of models and weights from files."""

import numpy as np
import pytest

from ae_multi.errors import InputError

pytestmark = [pytest.mark.backend, pytest.mark.once]


@pytest.fixture
def saved(keras, tmp_path):
    """A trained model, and the path of its file."""
    layers = keras.layers
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.Dropout(0.1)])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    x = np.ones((8, 3), np.float32)
    model.fit(x, np.ones((8, 4), np.float32), verbose=0)
    model.save(tmp_path / "one.keras")
    return model, tmp_path / "one.keras"


def test_dtypes_of_a_configuration_become_float64(saved):
    from ae_multi.parity.model_file import as_float64

    model, _ = saved
    config = model.get_config()
    changed = as_float64(config)
    assert "float32" in str(config)
    assert "float32" not in str(changed)
    assert str(changed) == str(config).replace("float32", "float64")


def test_integers_and_other_text_keep_their_values():
    from ae_multi.parity.model_file import as_float64

    config = {"dtype": "int32", "name": "float32", "layers": [{"dtype": "float32"}, 3, None]}
    expected = {**config, "layers": [{"dtype": "float64"}, 3, None]}
    assert as_float64(config) == expected


def test_loaded_model_has_the_weights_and_the_optimizer_of_the_file(saved, keras):
    from ae_multi.parity.model_file import load_model_file

    model, path = saved
    loaded = load_model_file(path)
    assert type(loaded.optimizer).__name__ == "Adam"
    assert float(loaded.optimizer.learning_rate) == pytest.approx(0.01)
    for one, other in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (one, other)))


def test_weights_load_into_a_model_of_the_same_layers(saved, keras, tmp_path):
    from ae_multi.parity.model_file import load_weights

    model, path = saved
    model.save_weights(tmp_path / "one.weights.h5")
    for file in (path, tmp_path / "one.weights.h5"):
        fresh = keras.models.clone_model(model)
        load_weights(fresh, file)
        for one, other in zip(model.weights, fresh.weights, strict=True):
            np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (one, other)))


def test_unsuitable_files_are_refused(saved, keras, tmp_path):
    from ae_multi.parity.model_file import load_model_file, load_weights

    model, path = saved
    with pytest.raises(InputError, match=r"the \.keras file"):
        load_model_file(tmp_path / "none.keras")
    with pytest.raises(InputError, match=r"the \.keras file"):
        load_weights(model, tmp_path / "none.keras")
    with pytest.raises(InputError, match="Expected a file of weights"):
        load_weights(model, tmp_path / "none.weights.h5")
    with pytest.raises(InputError, match=r"in a \.keras or \.weights\.h5 file"):
        load_weights(model, tmp_path / "one.npz")
    wider = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5)])
    with pytest.raises(InputError, match="to fit the model"):
        load_weights(wider, path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match="complete zip archive"):
        load_model_file(path)
