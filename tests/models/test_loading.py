"""Models saved and loaded."""

import numpy as np
import pytest

import ae_multi
from ae_multi.errors import InputError

pytestmark = pytest.mark.backend


def test_saved_model_continues_training_identically(model, small, tmp_path):
    model.fit(small, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    again = ae_multi.load_model(tmp_path / "model.keras")
    assert type(again) is type(model)
    np.testing.assert_array_equal(again.reconstruct(small), model.reconstruct(small))
    assert model.get_compile_config()["optimizer"]["module"] == "keras.optimizers"
    # The optimizer is saved, so that both continue equally.
    for each in (model, again):
        each.fit(small, epochs=1, verbose=0)
    np.testing.assert_array_equal(again.reconstruct(small), model.reconstruct(small))
    with pytest.raises(InputError, match="exists"):
        model.save(tmp_path / "model.keras", overwrite=False)


def test_file_retains_an_explicit_jit_compile_setting(model, small, tmp_path):
    default = model.jit_compile
    for setting, written, loaded in (
        ("auto", "auto", default),
        (not default, not default, not default),
    ):
        model.compile(jit_compile=setting)
        assert model.get_compile_config()["jit_compile"] == written
        assert model.jit_compile == loaded
        model.save(tmp_path / "model.keras")
        assert ae_multi.load_model(tmp_path / "model.keras").jit_compile == loaded


def test_interrupted_save_keeps_the_old_model(keras, small, tmp_path, monkeypatch):
    model = ae_multi.SimpleAutoencoder(4, (8, 8, 1))
    path = tmp_path / "model.keras"
    model.save(path)
    before = path.read_bytes()

    def write_half(self, filepath, **kwargs):
        filepath.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(keras.Model, "save", write_half)
    with pytest.raises(KeyboardInterrupt):
        model.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_damaged_model_file_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    with pytest.raises(InputError, match="not a file"):
        ae_multi.load_model(path)
    ae_multi.SimpleAutoencoder(4, 9).save(path)
    complete = path.read_bytes()
    for data in (b"", b"nonsense", complete[: len(complete) // 2]):
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"model\.keras to be a complete zip archive"):
            ae_multi.load_model(path)


def test_lambda_in_a_file_is_refused(keras, tmp_path):
    encoder = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x * 2)])
    decoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    ae_multi.Autoencoder(encoder, decoder).save(tmp_path / "model.keras")
    with pytest.raises(InputError, match=r"lambda"):
        ae_multi.load_model(tmp_path / "model.keras")
