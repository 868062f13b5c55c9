"""Loaders of models and estimators."""

import numpy as np

from tests.robustness.fuzz.loaders.loader import IMAGES, ROWS, Loader


def _models():
    import keras

    import ae_multi

    def trained(model, x):
        model.compile()
        model.fit(x, epochs=1, batch_size=12, verbose=0)
        return model

    def custom():
        encoder = keras.Sequential(
            [
                keras.Input((6, 6, 1)),
                keras.layers.Flatten(),
                keras.layers.BatchNormalization(),
                keras.layers.Dense(3, activation="relu"),
            ]
        )
        decoder = keras.Sequential(
            [keras.Input((3,)), keras.layers.Dense(36), keras.layers.Reshape((6, 6, 1))]
        )
        return ae_multi.Autoencoder(encoder, decoder, seed=1)

    def functional():
        inputs = keras.Input((5,))
        hidden = keras.layers.Dense(4, activation="tanh", kernel_regularizer="l2")(inputs)
        outputs = keras.layers.Dense(5)(keras.ops.relu(hidden) + hidden)
        model = keras.Model(inputs, outputs)
        model.compile(
            keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 9)),
            "mse",
            metrics=["mae", keras.metrics.RootMeanSquaredError()],
        )
        return model

    images = IMAGES[..., np.newaxis]
    return {
        "simple": lambda path: trained(ae_multi.SimpleAutoencoder(3, (6, 6)), IMAGES).save(path),
        "conv": lambda path: ae_multi.ConvAutoencoder((2,), 3, (8, 8, 1)).save(path),
        "own": lambda path: trained(custom(), images).save(path),
        "sparse": lambda path: ae_multi.SparseAutoencoder(
            hidden=(4,), latent_dim=3, input_shape=(5,)
        ).save(path),
        "vector": lambda path: ae_multi.VectorQuantizedAutoencoder(
            8, 2, 2, hidden=(4,), input_shape=(5,)
        ).save(path),
        "functional": lambda path: functional().save(path),
        "unet": lambda path: ae_multi.SegmentationNetwork((2, 3), 2, (8, 8, 1), depth=1).save(path),
    }


def _load_model(path):
    import keras

    import ae_multi

    model = ae_multi.load_model(path)
    assert isinstance(model, keras.Model)
    assert all(np.ndim(weight) >= 0 for weight in model.get_weights())
    shape = getattr(model, "input_shape", None) or getattr(
        getattr(model, "encoder", None), "input_shape", None
    )
    small = isinstance(shape, tuple) and None not in shape[1:] and np.prod(shape[1:]) < 1e5
    if small and isinstance(model, ae_multi.Autoencoder):
        assert len(keras.ops.convert_to_numpy(model(np.zeros((2, *shape[1:]), np.float32)))) == 2


def _estimators():
    import ae_multi

    small = {"epochs": 1, "latent_dim": 3}
    masks = IMAGES > 0.5
    return {
        "transformer": lambda path: (
            ae_multi.AutoencoderTransformer("simple", **small).fit(ROWS).save(path)
        ),
        "detector": lambda path: ae_multi.AnomalyDetector("simple", **small).fit(ROWS).save(path),
        "table": lambda path: (
            ae_multi.AnomalyDetector("simple", preprocessor="auto", **small).fit(ROWS).save(path)
        ),
        "images": lambda path: (
            ae_multi.AnomalyDetector("conv", hidden=(2,), **small).fit(IMAGES).save(path)
        ),
        "denoiser": lambda path: (
            ae_multi.Denoiser("deep", hidden=(4,), scale="standard", **small).fit(ROWS).save(path)
        ),
        "segmenter": lambda path: (
            ae_multi.Segmenter(filters=(2, 3), epochs=1).fit(IMAGES, masks).save(path)
        ),
    }


def _load_estimator(path):
    import ae_multi

    estimator = ae_multi.load_estimator(path)
    x = (
        IMAGES[:3]
        if isinstance(estimator, ae_multi.Segmenter) or len(estimator.sample_shape_) > 1
        else ROWS[:3]
    )
    method = {
        ae_multi.AutoencoderTransformer: "transform",
        ae_multi.AnomalyDetector: "predict",
        ae_multi.Denoiser: "transform",
        ae_multi.Segmenter: "predict",
    }[type(estimator)]
    assert len(getattr(estimator, method)(x)) == 3


LOADERS = {
    "models": Loader(".keras", _models, _load_model, backend=True, share=3),
    "estimators": Loader(".ae", _estimators, _load_estimator, backend=True, share=3),
}
