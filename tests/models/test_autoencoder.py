"""Autoencoders as ordinary Keras models."""

import io
import re
import sys

import numpy as np
import pytest

import ae_multi
from ae_multi.errors import InputError
from tests.reference.autoencoders import convolutional_parts

pytestmark = pytest.mark.backend


@pytest.mark.parametrize("shape", [(28, 28, 1), (28, 28), (8, 6, 3), (20,), 20, (2, 3, 4, 5)])
def test_dense_models_accept_any_input_shape(shape):
    expected = (shape,) if isinstance(shape, int) else shape
    x = np.random.default_rng(0).random((9, *expected), np.float32)
    for model in (
        ae_multi.SimpleAutoencoder(3, shape),
        ae_multi.DeepAutoencoder((7, 5), 3, shape),
        ae_multi.DeepAutoencoder((), 3, shape),
    ):
        assert model.encode(x).shape == (9, 3)
        assert model.reconstruct(x).shape == x.shape
        assert isinstance(model.reconstruct(x), np.ndarray)
        model.compile()
        model.fit(x, verbose=0)


def test_reconstruct_is_decode_of_encode(model, small):
    codes = model.encode(small)
    np.testing.assert_allclose(model.decode(codes), model.reconstruct(small), atol=1e-6)
    np.testing.assert_allclose(model.predict(small, verbose=0), model.reconstruct(small), atol=1e-6)


def test_default_target_is_the_input_and_default_loss_mse(model, small):
    mse = np.mean((model.reconstruct(small) - small) ** 2)
    assert model.evaluate(small, verbose=0) == pytest.approx(mse, rel=1e-5)
    assert model.evaluate(small, small, verbose=0) == pytest.approx(mse, rel=1e-5)
    other = 1 - small
    expected = np.mean((model.reconstruct(small) - other) ** 2)
    assert model.evaluate(small, other, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_backend_tensors_are_accepted(keras, small):
    model = ae_multi.SimpleAutoencoder(4, (8, 8, 1))
    model.compile()
    tensor = keras.ops.convert_to_tensor(small)
    np.testing.assert_array_equal(model.encode(tensor), model.encode(small))
    assert model.evaluate(tensor, verbose=0) == model.evaluate(small, verbose=0)
    model.fit(tensor, verbose=0)


def test_seed_determines_the_initial_weights(keras):
    def initial_weights(seed):
        return ae_multi.DeepAutoencoder((6,), 2, 9, seed=seed).get_weights()

    for a, b in zip(initial_weights(1), initial_weights(1), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(initial_weights(1)[0], initial_weights(2)[0])
    kernels = [w for w in initial_weights(1) if w.ndim == 2]
    assert abs(kernels[0]).max() <= np.sqrt(6 / 15)
    custom = [
        ae_multi.Autoencoder(*convolutional_parts(keras), seed=5).get_weights() for _ in range(2)
    ]
    for a, b in zip(*custom, strict=True):
        np.testing.assert_array_equal(a, b)


def test_weights_are_unchanged_without_a_seed(keras):
    encoder, decoder = convolutional_parts(keras)
    before = encoder.get_weights()
    model = ae_multi.Autoencoder(encoder, decoder)
    for a, b in zip(before, model.encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_unbuilt_encoder_and_decoder_are_built_by_fit(keras):
    encoder = keras.Sequential([keras.layers.Dense(3)])
    decoder = keras.Sequential([keras.layers.Dense(7)])
    model = ae_multi.Autoencoder(encoder, decoder)
    model.compile()
    x = np.ones((5, 7), np.float32)
    model.fit(x, verbose=0)
    assert model.encode(x).shape == (5, 3)
    with pytest.raises(InputError, match=r"begin it with a keras\.Input"):
        ae_multi.Autoencoder(keras.Sequential([keras.layers.Dense(3)]), decoder, seed=1)


def test_hidden_layers_have_the_given_activation(small):
    model = ae_multi.DeepAutoencoder((6, 5), 2, (8, 8, 1), activation="elu")
    x, kernels = small.reshape(70, 64).astype(np.float64), model.get_weights()
    for number, kernel in enumerate(kernels[::2]):
        x = x @ kernel + kernels[2 * number + 1]
        if number not in (2, 5):  # the code and the pixels
            x = np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
    expected = 1 / (1 + np.exp(-x))
    np.testing.assert_allclose(model.reconstruct(small).reshape(70, 64), expected, atol=1e-6)
    assert type(model).from_config(model.get_config()).activation == "elu"


@pytest.mark.once
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
@pytest.mark.parametrize("name", ["DeepAutoencoder", "SegmentationNetwork"])
def test_summary_is_printed_in_any_encoding(name, encoding, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    model = getattr(ae_multi, name)()
    model.summary()
    sys.stdout.flush()
    shown = raw.getvalue().decode(encoding)
    assert "Total params" in shown
    assert ("└" in shown or "┃" in shown) == (encoding == "utf-8")
    lines = []
    model.summary(print_fn=lines.append)
    assert "Total params" in "".join(lines)


def test_summary_shows_encoder_and_decoder(capsys):
    ae_multi.DeepAutoencoder().summary()
    shown = capsys.readouterr().out
    for word in ("encoder", "down_1", "code", "decoder", "up_4", "pixels", "(None, 9)", "224,601"):
        assert word in shown


def test_model_is_rebuilt_from_its_config(model, keras):
    again = type(model).from_config(model.get_config())
    assert [w.shape for w in again.get_weights()] == [w.shape for w in model.get_weights()]
    assert again.get_config() == model.get_config() or isinstance(model, ae_multi.Autoencoder)
    if type(model) is not ae_multi.Autoencoder:
        assert again.get_config() == model.get_config()
        for a, b in zip(again.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ae_multi.SimpleAutoencoder(0), "latent_dim .*at least 1. Received: 0"),
        (lambda: ae_multi.SimpleAutoencoder(-3), "latent_dim .*Received: -3"),
        (lambda: ae_multi.SimpleAutoencoder(2.5), "latent_dim .*Received: 2.5"),
        (lambda: ae_multi.SimpleAutoencoder(2, (0, 5)), "input_shape .*Received: 0"),
        (lambda: ae_multi.SimpleAutoencoder(2, ()), "input_shape .*sizes of one sample"),
        (lambda: ae_multi.SimpleAutoencoder(2, None), "input_shape .*sizes of one sample"),
        (lambda: ae_multi.SimpleAutoencoder(2, seed=-1), "seed"),
        (lambda: ae_multi.DeepAutoencoder((8, 0)), "hidden .*Received: 0"),
        (lambda: ae_multi.DeepAutoencoder(8), "hidden to be a sequence"),
        (lambda: ae_multi.DeepAutoencoder(activation="wavy"), "activation .*Received: 'wavy'"),
        (lambda: ae_multi.DeepAutoencoder(activation=None), "activation .*Received: None"),
        (lambda: ae_multi.Autoencoder("a", "b"), "encoder to be a Keras model. Received: str"),
    ],
    ids=range(12),
)
def test_invalid_arguments_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_mismatched_encoder_and_decoder_are_refused(keras):
    encoder, _ = convolutional_parts(keras)
    decoder = keras.Sequential([keras.Input((6,)), keras.layers.Dense(64)])
    with pytest.raises(InputError, match=r"codes of shape \(6,\).*codes of shape \(5,\)"):
        ae_multi.Autoencoder(encoder, decoder)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((4, 8, 8)), r"shape \(n, 8, 8, 1\).*reshape\(-1, 8, 8, 1\)"),
        (np.zeros((4, 28, 28, 1)), r"Received: shape \(4, 28, 28, 1\)"),
        (np.zeros((0, 8, 8, 1)), "at least one sample"),
        (np.full((4, 8, 8, 1), 255, np.uint8), "Divide by 255 first"),
        (np.full((4, 8, 8, 1), -0.5), r"within \[0, 1\]"),
        (np.full((4, 8, 8, 1), np.nan), "finite"),
        (np.full((4, 8, 8, 1), np.inf), "finite"),
    ],
    ids=["channel", "size", "empty", "bytes", "negative", "nan", "inf"],
)
@pytest.mark.parametrize("method", ["fit", "evaluate", "predict", "encode", "reconstruct"])
def test_invalid_images_are_refused_by_each_method(x, message, method):
    model = ae_multi.SimpleAutoencoder(4, (8, 8, 1))
    model.compile()
    with pytest.raises(InputError, match=message):
        getattr(model, method)(x)


def test_custom_models_accept_any_finite_value(keras):
    model = ae_multi.Autoencoder(*convolutional_parts(keras), seed=1)
    model.compile()
    model.fit(np.full((4, 8, 8, 1), -7.0), verbose=0)
    with pytest.raises(InputError, match="finite"):
        model.fit(np.full((4, 8, 8, 1), np.nan))


@pytest.mark.parametrize(
    ("shape", "decoded"),
    [((8, 8, 1), (8, 8)), ((8, 8), (8, 8, 1)), ((8, 6, 1), (8, 1, 6)), ((12,), (1,))],
    ids=str,
)
def test_decoder_of_another_shape_needs_targets(keras, shape, decoded):
    layers = keras.layers
    encoder = keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(2)])
    units = int(np.prod(decoded))
    decoder = keras.Sequential([keras.Input((2,)), layers.Dense(units), layers.Reshape(decoded)])
    model = ae_multi.Autoencoder(encoder, decoder, seed=0)
    model.compile()
    x, y = np.zeros((4, *shape), np.float32), np.zeros((4, *decoded), np.float32)
    message = f"shape, {re.escape(str(shape))}.*outputs of shape {re.escape(str(decoded))}"
    for method in (model.fit, model.evaluate):
        with pytest.raises(InputError, match=message):
            method(x, verbose=0)
    with pytest.raises(InputError, match=message):
        model.fit(x, y, validation_data=x, verbose=0)
    with pytest.raises(InputError, match=message):
        model.compute_loss(x, None, y)
    model.fit(x, y, verbose=0)
    model.evaluate(x, y, verbose=0)
    with pytest.raises(InputError, match="outputs have the shape of its inputs"):
        ae_multi.AnomalyDetector(model, epochs=1).fit(x)
