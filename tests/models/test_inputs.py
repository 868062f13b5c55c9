"""Models expect channels last, whatever image data format Keras is set to."""

import numpy as np
import pytest

import ae_multi
from ae_multi.errors import InputError

pytestmark = pytest.mark.backend

SHAPE = (7, 6, 2)
MODELS = {
    "simple": lambda: ae_multi.SimpleAutoencoder(2, SHAPE),
    "deep": lambda: ae_multi.DeepAutoencoder((3,), 2, SHAPE),
    "conv": lambda: ae_multi.ConvAutoencoder((3, 4), 2, SHAPE),
    "denoising": lambda: ae_multi.DenoisingAutoencoder(
        hidden=(3,), latent_dim=2, input_shape=SHAPE
    ),
    "sparse": lambda: ae_multi.SparseAutoencoder(latent_dim=3, input_shape=SHAPE),
    "contractive": lambda: ae_multi.ContractiveAutoencoder(latent_dim=3, input_shape=SHAPE),
    "variational": lambda: ae_multi.VariationalAutoencoder(
        hidden=(3,), latent_dim=2, input_shape=SHAPE
    ),
    "quantized": lambda: ae_multi.VectorQuantizedAutoencoder(
        4, 3, 2, hidden=(3,), input_shape=SHAPE
    ),
    "restoration": lambda: ae_multi.RestorationNetwork((2, 3), input_shape=SHAPE),
    "segmentation": lambda: ae_multi.SegmentationNetwork((2, 3), 3, SHAPE, depth=1),
}


@pytest.fixture
def channels_first(keras):
    """Set the image data format of Keras to channels_first for one test."""
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format("channels_last")


@pytest.fixture
def images():
    return np.random.default_rng(0).random((3, *SHAPE), np.float32)


def outputs(model, x):
    return model.predict(x, verbose=0)


@pytest.mark.parametrize("name", MODELS)
def test_outputs_ignore_the_image_data_format(name, keras, images):
    expected = outputs(MODELS[name](), images)
    keras.config.set_image_data_format("channels_first")
    try:
        found = outputs(MODELS[name](), images)
    finally:
        keras.config.set_image_data_format("channels_last")
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["conv", "restoration", "quantized"])
def test_files_ignore_the_image_data_format(name, keras, images, tmp_path):
    model = MODELS[name]()
    expected = outputs(model, images)
    model.save(tmp_path / "model.keras")
    keras.config.set_image_data_format("channels_first")
    try:
        loaded = ae_multi.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(outputs(loaded, images), expected)
        converted = ae_multi.to_keras(loaded) if name == "conv" else loaded
        np.testing.assert_allclose(outputs(converted, images), expected, rtol=1e-6)
    finally:
        keras.config.set_image_data_format("channels_last")


def test_training_ignores_the_image_data_format(channels_first, images):
    model = ae_multi.ConvAutoencoder((3,), 2, SHAPE)
    model.compile()
    model.fit(images, verbose=0)
    assert model.reconstruct(images).shape == images.shape


@pytest.mark.parametrize("name", ["conv", "restoration", "simple"])
def test_images_with_channels_first_are_refused(name, images):
    first = np.moveaxis(images, -1, 1)
    with pytest.raises(InputError, match=r"channels come first.*np\.moveaxis\(x, 1, -1\)"):
        outputs(MODELS[name](), first)


@pytest.mark.once
def test_shapes_with_channels_first_are_refused(channels_first):
    for model in (ae_multi.ConvAutoencoder, ae_multi.SegmentationNetwork):
        with pytest.raises(InputError, match=r"channels last.*Received: \(1, 12, 8\)"):
            model(input_shape=(1, 12, 8))
    with pytest.raises(InputError, match=r"channels last.*Received: \(3, 12, 8\)"):
        ae_multi.Denoiser(epochs=1).fit(np.zeros((4, 3, 12, 8)))


@pytest.mark.once
def test_estimators_refuse_channels_first_after_fit(images):
    detector = ae_multi.AnomalyDetector("simple", epochs=1).fit(images)
    with pytest.raises(InputError, match=r"as in fit.*channels come first"):
        detector.predict(np.moveaxis(images, -1, 1))
    masks = np.zeros((3, 7, 6), int)
    with pytest.raises(InputError, match="images have their channels first"):
        ae_multi.Segmenter(filters=(2,), epochs=1).fit(np.moveaxis(images, -1, 1), masks)
