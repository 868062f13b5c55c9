"""Data of `ae-multi train`: names, and samples on disk."""

import json

import numpy as np
import pytest

from ae_multi.errors import InputError

pytestmark = [pytest.mark.backend, pytest.mark.once]

RNG = np.random.default_rng(0)


@pytest.fixture
def load():
    from ae_multi.cli.train_data import load_training_data

    return load_training_data


def test_bytes_are_scaled_and_the_last_tenth_is_for_testing(load, tmp_path):
    x = RNG.integers(0, 256, (50, 4, 4, 1), dtype=np.uint8)
    np.save(tmp_path / "x.npy", x)
    data, train = load(str(tmp_path / "x.npy"), None, None, "deep")
    assert len(train) == 45
    np.testing.assert_allclose(train[:], x[:45] / 255, rtol=1e-6)
    np.testing.assert_allclose(data.x_test, x[45:] / 255, rtol=1e-6)
    np.testing.assert_array_equal(data.x_train, train[:])


def test_samples_takes_the_first_training_and_test_samples(load, tmp_path):
    x = RNG.uniform(size=(50, 6)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    data, train = load(str(tmp_path / "x.npy"), None, 3, "deep")
    np.testing.assert_array_equal(train[:], x[:3])
    np.testing.assert_array_equal(data.x_test, x[45:48])


def test_errors_name_file_row_and_data_sets(load, tmp_path):
    with pytest.raises(InputError, match=r"one of auto, mnist.*or a file.*missing\.npy"):
        load("missing.npy", None, None, "deep")
    x = RNG.uniform(size=(50, 6)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    with pytest.raises(InputError, match="segmentation, which is trained on digits"):
        load(str(tmp_path / "x.npy"), None, None, "segmentation")


def test_train_on_a_file_gives_the_losses_of_an_array(keras, tmp_path, capsys):
    import ae_multi
    from ae_multi.cli import main

    x = RNG.integers(0, 256, (50, 4, 4, 1), dtype=np.uint8)
    np.save(tmp_path / "x.npy", x)
    report = tmp_path / "out.json"
    arguments = ["train", "--data", str(tmp_path / "x.npy"), "--model", "simple", "--epochs", "2"]
    more = ["--batch-size", "16", "--latent-dim", "3", "--no-save", "--json", str(report)]
    assert main([*arguments, *more]) == 0
    found = json.loads(report.read_text())
    assert found["data"]["samples"] == 45
    model = ae_multi.SimpleAutoencoder(latent_dim=3, input_shape=(4, 4, 1), seed=0)
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    array = np.multiply(x[:45], np.float32(1 / 255), dtype=np.float32)
    history = model.fit(array, batch_size=16, epochs=2, verbose=0)
    np.testing.assert_allclose(found["epoch_losses"], history.history["loss"], rtol=1e-5)
