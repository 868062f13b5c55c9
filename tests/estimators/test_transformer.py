"""`AutoencoderTransformer`: codes, scaling, models and scikit-learn tools."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import ae_multi
from ae_multi.estimators import scaling
from ae_multi.estimators.inputs import held_out

pytestmark = [pytest.mark.backend, pytest.mark.once]


@pytest.fixture(scope="module")
def fitted(table):
    return ae_multi.AutoencoderTransformer(latent_dim=1, epochs=150, batch_size=32).fit(table)


def test_one_code_beats_pca_on_a_curve(table, fitted):
    pca = PCA(1).fit(scaled := scaling.scale(table, fitted.input_offset_, fitted.input_span_))
    pca_score = -np.mean((pca.inverse_transform(pca.transform(scaled)) - scaled) ** 2)
    assert fitted.score(table) > pca_score / 3
    assert fitted.transform(table).shape == (400, 1)
    assert fitted.get_feature_names_out().tolist() == ["autoencodertransformer0"]


def test_inverse_scaling_restores_constant_columns(table, fitted):
    restored = fitted.reconstruct(table)
    errors = abs(restored - table).mean(axis=0) / np.ptp(table, axis=0).clip(1e-300)
    assert (errors[:5] < 0.1).all()
    np.testing.assert_array_equal(restored[:, 5], 7.5)
    decoded = fitted.inverse_transform(fitted.transform(table))
    np.testing.assert_allclose(decoded, restored, rtol=1e-4, atol=1e-6)
    # A change of the constant column gives a large error.
    changed = table[:1].copy()
    changed[0, 5] += 3
    assert fitted.score_samples(changed)[0] < fitted.score_samples(table).min() - 1


def test_scores_are_negative_errors_of_scaled_values(table, fitted):
    restored = (fitted.reconstruct(table)[:, :5] - table[:, :5]) / np.ptp(table[:, :5], axis=0)
    expected = -np.sum(restored**2, axis=1) / 6
    # The score includes the network's error of the constant column.
    np.testing.assert_allclose(fitted.score_samples(table), expected, atol=2e-4)


def test_standard_scaling_reconstructs_values_beyond_one(table):
    transformer = ae_multi.AutoencoderTransformer(
        latent_dim=1, scale="standard", epochs=100, batch_size=32
    ).fit(table)
    assert transformer.score(table) > -0.15
    restored = transformer.reconstruct(table)
    assert np.ptp(restored[:, 0]) > 1.5e6
    np.testing.assert_array_equal(restored[:, 5], 7.5)


def test_values_out_of_range_are_refused_without_scaling(digits):
    transformer = ae_multi.AutoencoderTransformer(scale=None, epochs=1)
    with pytest.raises(ae_multi.InputError, match=r"X within \[0, 1\].*Divide by 255"):
        transformer.fit((digits.x_train[:50] * 255).astype(np.uint8))
    transformer.fit(digits.x_train[:50])
    with pytest.raises(ae_multi.InputError, match=r"X within \[0, 1\]"):
        transformer.transform(digits.x_test + 1)


@pytest.mark.slow
def test_grid_search_over_a_pipeline_finds_the_better_latent_dim(digits):
    x, y = digits.x_train[:400].reshape(400, -1), digits.y_train[:400]
    pipe = make_pipeline(
        ae_multi.AutoencoderTransformer(scale=None, epochs=5), LogisticRegression(max_iter=2000)
    )
    search = GridSearchCV(pipe, {"autoencodertransformer__latent_dim": [1, 12]}, cv=2).fit(x, y)
    assert search.best_params_ == {"autoencodertransformer__latent_dim": 12}
    assert search.score(digits.x_test.reshape(360, -1), digits.y_test) > 0.5


def test_model_may_be_a_name_or_an_instance(keras, small):
    network = ae_multi.ConvAutoencoder((4,), 3, (8, 8, 1), seed=4)
    before = network.get_weights()
    for model, parameters in (("simple", {}), ("conv", {"hidden": (4,)}), (network, {})):
        transformer = ae_multi.AutoencoderTransformer(model, latent_dim=3, epochs=1, **parameters)
        transformer.fit(small)
        assert transformer.transform(small).shape == (70, 3)
        assert transformer.reconstruct(small).shape == small.shape
        # Rows of pixels with an image_shape are the same images.
        transformer.set_params(image_shape=(8, 8, 1)).fit(small.reshape(70, 64))
        assert transformer.reconstruct(small.reshape(70, 64)).shape == (70, 64)
    for a, b in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not network.compiled
    with pytest.raises(
        ae_multi.InputError, match=r"of shape \(8, 8, 1\), the input shape of the model"
    ):
        ae_multi.AutoencoderTransformer(network, epochs=1).fit(small.reshape(70, 64))
    plain = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64)])
    with pytest.raises(ae_multi.InputError, match="an encoder and a decoder"):
        ae_multi.AutoencoderTransformer(plain, epochs=1).fit(small.reshape(70, 64))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["denoising", "sparse", "contractive", "variational"])
def test_model_may_be_the_name_of_a_family(name, small):
    transformer = ae_multi.AutoencoderTransformer(name, latent_dim=3, hidden=(5,), epochs=1)
    transformer.fit(small)
    assert type(transformer.network_).__name__.lower().startswith(name)
    assert transformer.network_.activation == "relu"
    assert transformer.transform(small).shape == (70, 3)
    transformer.set_params(activation="elu").fit(small)
    assert transformer.network_.activation == "elu"


def test_activation_is_elu_by_default(small):
    parameters = {"latent_dim": 3, "hidden": (5,), "epochs": 1}
    assert ae_multi.AutoencoderTransformer(**parameters).fit(small).network_.activation == "elu"
    parameters["activation"] = "tanh"
    assert ae_multi.AutoencoderTransformer(**parameters).fit(small).network_.activation == "tanh"
    network = ae_multi.AutoencoderTransformer(scale="standard", **parameters).fit(small).network_
    assert network.encoder.layers[1].activation.__name__ == "tanh"


@pytest.mark.parametrize(("latent_dim", "code_shape"), [(8, (2, 4)), (6, (3, 2)), (3, (3, 1))])
def test_vector_quantized_codes_are_flattened(latent_dim, code_shape, small):
    transformer = ae_multi.AutoencoderTransformer(
        "vector_quantized", latent_dim=latent_dim, epochs=1
    )
    found = transformer.fit_transform(small)
    assert found.shape == (70, latent_dim)
    assert transformer.network_.encoder.output_shape[1:] == code_shape
    vectors = np.unique(found.reshape(-1, code_shape[1]), axis=0)
    assert len(vectors) <= transformer.network_.codebook_size
    np.testing.assert_allclose(
        transformer.inverse_transform(found), transformer.reconstruct(small), rtol=0, atol=1e-6
    )


def test_early_stopping_restores_the_best_weights():
    x = np.random.default_rng(0).random((60, 12))
    transformer = ae_multi.AutoencoderTransformer(
        latent_dim=8,
        epochs=400,
        batch_size=8,
        learning_rate=3e-3,
        early_stopping=True,
        validation_fraction=0.25,
        patience=5,
    ).fit(x)
    curve = transformer.validation_loss_curve_
    assert len(curve) == len(transformer.loss_curve_) == transformer.n_iter_ < 400
    assert np.argmin(curve) == transformer.n_iter_ - 1 - 5
    held_out_rows = held_out(transformer.seed_, "validation", 60, 0.25)[1]
    assert len(held_out_rows) == 15
    assert -transformer.score(x[held_out_rows]) == pytest.approx(min(curve), rel=1e-4)


def test_random_state_determines_the_codes(table):
    def codes(seed):
        transformer = ae_multi.AutoencoderTransformer("simple", epochs=2, random_state=seed)
        return transformer.fit_transform(table)

    np.testing.assert_array_equal(codes(1), codes(1))
    assert not np.array_equal(codes(1), codes(2))
    np.testing.assert_array_equal(*(codes(np.random.RandomState(3)) for _ in range(2)))


def test_codes_of_another_width_are_refused(fitted):
    with pytest.raises(ValueError, match=r"X has 2 features, .* is expecting 1 codes"):
        fitted.inverse_transform(np.zeros((3, 2)))


def test_progress_is_printed_only_if_verbose(table, capsys):
    transformer = ae_multi.AutoencoderTransformer("simple", epochs=2)
    transformer.fit(table)
    assert capsys.readouterr().out == ""
    transformer.set_params(verbose=1).fit(table)
    assert "Epoch 2/2" in capsys.readouterr().out
    transformer.fit_chunks([table])
    assert "epoch 2/2: loss 0." in capsys.readouterr().out


def test_huge_values_do_not_overflow(table, fitted):
    huge = np.where(table == 0, 0, 1e300 * np.sign(table))
    with np.errstate(all="raise"):
        scores = fitted.score_samples(huge)
    assert np.isfinite(scores).all()
    assert (scores < -1e9).all()


@pytest.mark.parametrize(
    ("codes", "sizes"),
    [(9, [512, 256, 128, 9]), (32, [512, 256, 32]), (100, [512, 100])],
)
def test_default_layer_sizes_depend_on_features_and_codes(codes, sizes):
    wide = np.random.default_rng(0).random((4, 300), np.float32)
    transformer = ae_multi.AutoencoderTransformer(latent_dim=codes, epochs=1).fit(wide)
    dense = [layer for layer in transformer.network_.encoder.layers if layer.weights]
    assert [layer.units for layer in dense] == sizes
