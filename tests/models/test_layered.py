"""Behaviour of all subclasses of `LayeredAutoencoder`: plans, files, custom parts, errors."""

import numpy as np
import pytest

import ae_multi
from ae_multi.errors import InputError

pytestmark = pytest.mark.backend

SHAPE = (8, 8, 1)
FAMILIES = {
    "gaussian": lambda **a: ae_multi.DenoisingAutoencoder("gaussian", 0.3, **a),
    "masking": lambda **a: ae_multi.DenoisingAutoencoder("masking", 0.3, **a),
    "salt": lambda **a: ae_multi.DenoisingAutoencoder("salt_and_pepper", 0.3, **a),
    "l1": lambda **a: ae_multi.SparseAutoencoder("l1", **a),
    "kl": lambda **a: ae_multi.SparseAutoencoder("kl", target=0.1, **a),
    "top_k": lambda **a: ae_multi.SparseAutoencoder("top_k", k=2, **a),
    "contractive": lambda **a: ae_multi.ContractiveAutoencoder(0.5, **a),
    "variational": lambda **a: ae_multi.VariationalAutoencoder(2.0, **a),
    "quantized": lambda **a: ae_multi.VectorQuantizedAutoencoder(
        6, 3, 5, **{name: value for name, value in a.items() if name != "latent_dim"}
    ),
}
# One of each class.
CLASSES = ("masking", "l1", "contractive", "variational", "quantized")


def make(name, **arguments):
    defaults = {"hidden": (12,), "latent_dim": 4, "input_shape": SHAPE, "seed": 3}
    return FAMILIES[name](**{**defaults, **arguments})


def custom_parts(keras, code):
    """Return a convolutional encoder to codes of shape (4, 4, ``code``), and a decoder."""
    layers = keras.layers
    encoder = keras.Sequential(
        [
            keras.Input(SHAPE),
            layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(2 * code if code == 2 else code, 1),
        ]
    )
    decoder = keras.Sequential(
        [
            keras.Input((4, 4, code)),
            layers.Conv2DTranspose(1, 3, strides=2, padding="same"),
        ]
    )
    return encoder, decoder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gaussian", *CLASSES[1:], "top_k"])
def test_models_train_on_a_compiled_plan_and_load_unchanged(name, small, tmp_path):
    model = make(name)
    model.compile()
    history = model.fit(small[:64], epochs=3, verbose=0)
    assert history.plan.name not in ("keras", "eager"), history.plan.why
    assert history.history["loss"][-1] < history.history["loss"][0]
    model.save(tmp_path / "model.keras")
    again = ae_multi.load_model(tmp_path / "model.keras")
    assert type(again) is type(model)
    assert again.get_config() == model.get_config()
    for a, b in zip(again.variables, model.variables, strict=True):
        np.testing.assert_array_equal(np.array(a), np.array(b))
    np.testing.assert_array_equal(again.reconstruct(small), model.reconstruct(small))
    assert again.loss == model.loss


@pytest.mark.parametrize("name", CLASSES)
def test_hidden_layers_have_the_given_activation(name, small):
    model = make(name, activation="elu")
    assert {**model.get_config()}["activation"] == "elu"
    activations = [
        layer.activation.__name__
        for part in (model.encoder, model.decoder)
        for layer in part.layers
        if layer.name in ("down_1", "code", "up_1", "pixels")
    ]
    code = {"l1": "relu", "contractive": "sigmoid"}.get(name, "linear")
    assert activations == ["elu", code, "elu", "sigmoid"]
    assert make(name).activation == "relu"


@pytest.mark.parametrize("name", FAMILIES)
def test_clone_has_the_same_initial_weights(name, small):
    model = make(name)
    clone = type(model).from_config(model.get_config())
    assert clone.get_config() == model.get_config()
    for a, b in zip(clone.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    other = make(name, seed=4)
    assert any(
        not np.array_equal(a, b)
        for a, b in zip(other.get_weights(), model.get_weights(), strict=True)
    )


@pytest.mark.parametrize(
    ("name", "code"),
    [("gaussian", 3), ("variational", 2), ("quantized", 3)],
)
def test_custom_parts_are_accepted_saved_and_cloned(keras, small, tmp_path, name, code):
    encoder, decoder = custom_parts(keras, code)
    model = make(name, encoder=encoder, decoder=decoder)
    assert model.encode(-5 * small).shape == (70, 4, 4, code)  # values of any range
    model.save(tmp_path / "model.keras")
    again = ae_multi.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.reconstruct(small), model.reconstruct(small))
    clone = type(model).from_config(model.get_config())
    for a, b in zip(clone.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_custom_parts_keep_their_weights_without_a_seed(keras):
    encoder, decoder = custom_parts(keras, 3)
    before = encoder.get_weights()
    ae_multi.SparseAutoencoder("l1", encoder=encoder, decoder=decoder, seed=None)
    for a, b in zip(before, encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden": 8}, "hidden to be a sequence"),
        ({"hidden": (8, 0)}, "hidden .*Received: 0"),
        ({"input_shape": ()}, "input_shape .*sizes of one sample"),
        ({"seed": -1}, "seed"),
        ({"activation": "wavy"}, "activation to be .*Received: 'wavy'"),
        ({"encoder": "a"}, "encoder and decoder together, or neither. Received: encoder alone"),
        ({"decoder": "a"}, "Received: decoder alone"),
        ({"encoder": "a", "decoder": "b"}, "encoder to be a .*Received: str"),
    ],
    ids=range(8),
)
def test_invalid_arguments_are_refused(name, arguments, message):
    with pytest.raises(InputError, match=message):
        make(name, **arguments)


@pytest.mark.parametrize("name", CLASSES)
def test_mismatched_custom_parts_are_refused(keras, name):
    shapeless = keras.Sequential([keras.layers.Dense(3)])
    with pytest.raises(InputError, match=r"keras\.Input|shape"):
        make(name, encoder=shapeless, decoder=keras.Sequential([keras.layers.Dense(64)]))
    dense = [keras.Sequential([keras.Input((size,)), keras.layers.Dense(6)]) for size in (10, 7)]
    with pytest.raises(InputError, match=r"Received: (codes of )?shape"):
        make(name, encoder=dense[0], decoder=dense[1])


def test_images_out_of_range_are_refused(small):
    for name in CLASSES:
        with pytest.raises(InputError, match="Divide by 255"):
            make(name).encode(np.full((2, *SHAPE), 255, np.uint8))
