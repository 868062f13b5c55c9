"""Loaders of checkpoints and weights."""

import tempfile
from pathlib import Path

import numpy as np

from tests.robustness.fuzz.loaders.loader import RNG, ROWS, Loader


def _model():
    """Return a compiled model, the same at each call."""
    if "model" not in _cache:
        import keras

        import ae_multi

        model = ae_multi.SimpleAutoencoder(3, (5,), seed=0)
        model.compile(keras.optimizers.Adam(1e-3))
        _cache["model"] = model
    return _cache["model"]


_cache = {}


def _train(folder, **more):
    import keras

    import ae_multi

    x = ROWS.astype(np.float32)
    callbacks = [keras.callbacks.EarlyStopping("loss", patience=3)]
    ae_multi.fit(
        _model(),
        x,
        x,
        batch_size=20,
        epochs=1,
        verbose=0,
        callbacks=callbacks,
        checkpoint=folder,
        **more,
    )


def _checkpoints():
    def write(path):
        with tempfile.TemporaryDirectory() as folder:
            _train(folder)
            (checkpoint,) = Path(folder).glob("*.checkpoint")
            path.write_bytes(checkpoint.read_bytes())

    return {"checkpoint": write}


def _load_checkpoint(path):
    from ae_multi.checkpoints import Position

    path.rename(path.with_name(Position(1, 0).name))
    _train(path.parent, resume=True)
    assert all(np.ndim(weight) >= 0 for weight in _model().get_weights())


def _safetensors():
    import ae_multi

    return {"weights": lambda path: ae_multi.save_safetensors(_model(), path)}


def _load_safetensors(path):
    import ae_multi

    model = ae_multi.load_safetensors(path, _model())
    assert model.encode(np.zeros((2, 5), np.float32)).shape == (2, 3)


def _hdf5():
    import h5py

    def old(path):
        kernels = {"dense": (5, 3), "dense_1": (3, 5)}
        with h5py.File(path, "w") as file:
            file.attrs["layer_names"] = np.array(list(kernels), "S")
            for layer, shape in kernels.items():
                names = [f"{layer}/kernel:0", f"{layer}/bias:0"]
                file.create_group(layer).attrs["weight_names"] = np.array(names, "S")
                file[layer][names[0]] = RNG.random(shape, np.float32)
                file[layer][names[1]] = RNG.random(shape[1], np.float32)

    def weights(path):
        named = path.with_name("seed.weights.h5")
        _model().save_weights(named)
        named.rename(path)

    def model(path):
        named = path.with_name("seed.keras")
        _model().save(named)
        named.rename(path)

    return {"weights": weights, "old": old, "model": model}


def _load_hdf5(path):
    import ae_multi

    model = ae_multi.from_keras(path, _model())
    assert model.encode(np.zeros((2, 5), np.float32)).shape == (2, 3)


def _pt():
    from tests.reference.pt_files import write_pt

    state = {
        f"{part}.0.{name}": RNG.random(shape, np.float32)
        for part, size in (("encoder", (3, 5)), ("decoder", (5, 3)))
        for name, shape in (("weight", size), ("bias", size[:1]))
    }
    return {
        "state": lambda path: write_pt(path, state),
        "checkpoint": lambda path: write_pt(path, state, "state_dict"),
    }


def _load_pt(path):
    import ae_multi

    model = ae_multi.from_torch(path, _model())
    assert model.encode(np.zeros((2, 5), np.float32)).shape == (2, 3)


LOADERS = {
    "checkpoints": Loader(".checkpoint", _checkpoints, _load_checkpoint, backend=True, share=1.5),
    "safetensors": Loader(".safetensors", _safetensors, _load_safetensors, backend=True),
    "weights": Loader(".h5", _hdf5, _load_hdf5, backend=True),
    "pytorch": Loader(".pt", _pt, _load_pt, backend=True),
}
