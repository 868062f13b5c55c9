"""NumPy numbers, text and arrays as parameters, as scikit-learn's searches pass them."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import ae_multi

pytestmark = [pytest.mark.backend, pytest.mark.once]

ROWS = np.random.default_rng(0).random((24, 6))
IMAGES = ROWS[:, :4].reshape(24, 2, 2)


def numpy_of(value, zero_dimensional):
    """Return a value as NumPy scalar or 0-d array, and a tuple as array."""
    if isinstance(value, tuple):
        return np.array(value)
    types = {bool: np.bool_, int: np.int64, float: np.float32, str: np.str_}
    if type(value) not in types:
        return value
    scalar = types[type(value)](value)
    return np.array(scalar) if zero_dimensional and not isinstance(value, str) else scalar


SHARED = {
    "model": "deep",
    "latent_dim": 2,
    "hidden": (4, 3),
    "activation": "elu",
    "scale": "minmax",
    "loss": "mae",
    "epochs": 2,
    "batch_size": 8,
    "learning_rate": 0.125,
    "schedule": "cosine",
    "early_stopping": True,
    "validation_fraction": 0.25,
    "patience": 3,
    "random_state": 5,
    "verbose": 0,
}
SEGMENTER = {
    name: value
    for name, value in SHARED.items()
    if name not in ("model", "latent_dim", "hidden", "activation", "loss")
}
NOT_NUMBERS = {"image_shape", "checkpoint", "checkpoint_every", "preprocessor"}
ESTIMATORS = {
    ae_multi.AutoencoderTransformer: SHARED,
    ae_multi.AnomalyDetector: {
        **SHARED,
        "contamination": 0.25,
        "false_alarm_rate": 0.5,
        "criterion": "manifold",
        "neighbors": 2,
        "weight": 0.5,
    },
    ae_multi.Denoiser: {**SHARED, "noise": 0.25},
    ae_multi.Segmenter: {
        **SEGMENTER, "model": "unet", "filters": (2, 3), "stride": 1, "depth": 1,
    },
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("cls", ESTIMATORS, ids=lambda cls: cls.__name__)
def test_estimator_parameters_may_be_numpy_values(cls, tmp_path):
    plain = ESTIMATORS[cls]
    assert {*plain} == {*cls().get_params()} - NOT_NUMBERS
    data = (IMAGES, IMAGES > 0.5) if cls is ae_multi.Segmenter else (ROWS,)
    expected = cls(**plain).fit(*data)
    for zero_dimensional in (False, True):
        parameters = {name: numpy_of(value, zero_dimensional) for name, value in plain.items()}
        fitted = clone(cls(**parameters)).fit(*data)
        assert all(type(fitted.get_params()[name]) is type(parameters[name]) for name in parameters)
        for a, b in zip(
            fitted.network_.get_weights(), expected.network_.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(a, b)
        method = "predict" if hasattr(cls, "predict") else "transform"
        outputs = [getattr(each, method)(data[0]) for each in (fitted, expected)]
        np.testing.assert_array_equal(*outputs)
    fitted.save(tmp_path / "one.ae")
    assert ae_multi.load_estimator(tmp_path / "one.ae").get_params() == {
        **expected.get_params(),
        "learning_rate": 0.125,
    }


def test_image_shape_may_be_an_array():
    detector = ae_multi.AnomalyDetector("simple", image_shape=np.array([2, 3]), epochs=1)
    assert detector.fit(ROWS).sample_shape_ == (2, 3)
    assert detector.calibrate(ROWS, np.array(0.5)).offset_ < 0


def test_grid_search_accepts_numpy_values():
    grid = {"latent_dim": np.arange(1, 3), "learning_rate": np.float32([0.01])}
    small = ae_multi.AutoencoderTransformer(epochs=1, hidden=(4,))
    search = GridSearchCV(small, grid, cv=2, error_score="raise").fit(ROWS)
    assert search.best_params_["latent_dim"] in (1, 2)
    assert search.transform(ROWS).shape == (24, search.best_params_["latent_dim"])


FAMILY = {"hidden": (4,), "input_shape": (2, 3), "seed": 3, "activation": "elu"}
IMAGE = {"filters": (2, 3), "input_shape": (4, 4, 1), "seed": 3}
MODELS = {
    "SimpleAutoencoder": {"latent_dim": 2, "input_shape": (2, 3), "seed": 3},
    "DeepAutoencoder": {"latent_dim": 2, **FAMILY},
    "ConvAutoencoder": {"latent_dim": 2, **IMAGE},
    "DenoisingAutoencoder": {"corruption": "masking", "level": 0.25, "latent_dim": 2, **FAMILY},
    "SparseAutoencoder": {
        "sparsity": "kl", "strength": 0.5, "target": 0.25, "k": 2, "latent_dim": 4, **FAMILY,
    },
    "ContractiveAutoencoder": {"strength": 0.5, "latent_dim": 2, **FAMILY},
    "VariationalAutoencoder": {"beta": 0.5, "latent_dim": 2, **FAMILY},
    "VectorQuantizedAutoencoder": {
        "codebook_size": 4, "code_dim": 2, "codes": 3, "commitment": 0.5, **FAMILY,
    },
    "RestorationNetwork": {
        "noise": 0.5, "value_range": (0, 1), "stride": 1, "depth": 1, **IMAGE,
    },
    "SegmentationNetwork": {
        "classes": 3, "value_range": (0, 1), "stride": 1, "depth": 1, **IMAGE,
    },
}  # fmt: skip


def types_in(value):
    """Return the set of types of all values in nested lists, tuples and dicts."""
    if isinstance(value, dict):
        value = [*value.values()]
    if isinstance(value, list | tuple):
        return set().union(*map(types_in, value)) if value else set()
    return {type(value)}


@pytest.mark.parametrize("name", MODELS)
def test_model_parameters_may_be_numpy_values(name):
    cls = getattr(ae_multi, name)
    expected = cls(**MODELS[name]).get_config()
    for zero_dimensional in (False, True):
        parameters = {key: numpy_of(each, zero_dimensional) for key, each in MODELS[name].items()}
        config = cls(**parameters).get_config()
        assert {**config, "name": ""} == {**expected, "name": ""}
        assert types_in(config) <= {bool, int, float, str, type(None)}


def test_layers_and_losses_accept_numpy_numbers():
    from ae_multi.models.vector_quantized import VectorQuantizer
    from ae_multi.randomness import Dropout, GaussianNoise, Seeded

    for instance in (
        VectorQuantizer(np.int64(3), np.array(2), np.float32(0.5), np.int64(1)),
        GaussianNoise(np.float32(0.5), np.int64(1)),
        Dropout(np.array(0.5), np.array(1)),
        ae_multi.StructuralSimilarity(np.float32(1), np.int64(5), np.array(1.5)),
    ):
        found = {key: each for key, each in instance.get_config().items() if key != "dtype"}
        assert types_in(found) <= {bool, int, float, str, type(None)}
    assert type(Seeded(seed=np.int64(2)).get_config()["seed"]) is int


def test_functions_accept_numpy_numbers():
    model = ae_multi.SimpleAutoencoder(2, 6)
    model.compile()
    size, flag = np.int64(8), np.bool_(True)
    history = model.fit(
        ROWS,
        batch_size=size,
        epochs=np.int64(2),
        verbose=np.int64(0),
        shuffle=flag,
        validation_split=np.float32(0.25),
        initial_epoch=np.int64(0),
    ).history
    assert len(history["loss"]) == 2
    model.evaluate(ROWS, batch_size=size, verbose=np.int64(0))
    assert model.encode(ROWS, batch_size=size).shape == (24, 2)
    assert ae_multi.predict(model, ROWS, batch_size=np.array(8)).shape == (24, 6)
