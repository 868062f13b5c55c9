"""Every loader that the package has: files that it wrote itself, and what a sound content is."""

import contextlib
import gzip
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

RNG = np.random.default_rng(0)
IMAGES = RNG.random((24, 6, 6), np.float32)
ROWS = RNG.random((40, 5))


@dataclass(frozen=True)
class Loader:
    """One way into the package.

    Attributes:
        suffix: of its files.
        seeds: function of a folder that returns dict of names to writers, functions of a path.
        load: function of a path: loads, uses what was loaded, and asserts that it is sound.
        backend: whether it needs Keras.
        share: how many files it gets, beside 1 for others.
    """

    suffix: str
    seeds: callable
    load: callable
    backend: bool = False
    share: float = 1.0


# Models and estimators.


def _models():
    import keras

    import ae_multi

    def trained(model, x):
        model.compile()
        model.fit(x, epochs=1, batch_size=12, verbose=0)
        return model

    def own():
        encoder = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Flatten(),
                                    keras.layers.BatchNormalization(),
                                    keras.layers.Dense(3, activation="relu")])  # fmt: skip
        decoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(36),
                                    keras.layers.Reshape((6, 6, 1))])  # fmt: skip
        return ae_multi.Autoencoder(encoder, decoder, seed=1)

    def functional():
        inputs = keras.Input((5,))
        hidden = keras.layers.Dense(4, activation="tanh", kernel_regularizer="l2")(inputs)
        outputs = keras.layers.Dense(5)(keras.ops.relu(hidden) + hidden)
        model = keras.Model(inputs, outputs)
        model.compile(keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 9)), "mse",
                      metrics=["mae", keras.metrics.RootMeanSquaredError()])  # fmt: skip
        return model

    images = IMAGES[..., np.newaxis]
    return {
        "simple": lambda path: trained(ae_multi.SimpleAutoencoder(3, (6, 6)), IMAGES).save(path),
        "conv": lambda path: ae_multi.ConvAutoencoder((2,), 3, (8, 8, 1)).save(path),
        "own": lambda path: trained(own(), images).save(path),
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
        "transformer": lambda path: ae_multi.AutoencoderTransformer("simple", **small)
        .fit(ROWS).save(path),
        "detector": lambda path: ae_multi.AnomalyDetector("simple", **small).fit(ROWS).save(path),
        "images": lambda path: ae_multi.AnomalyDetector("conv", hidden=(2,), **small)
        .fit(IMAGES).save(path),
        "denoiser": lambda path: ae_multi.Denoiser("deep", hidden=(4,), scale="standard", **small)
        .fit(ROWS).save(path),
        "segmenter": lambda path: ae_multi.Segmenter(filters=(2, 3), epochs=1)
        .fit(IMAGES, masks).save(path),
    }  # fmt: skip


def _load_estimator(path):
    import ae_multi

    estimator = ae_multi.load_estimator(path)
    x = IMAGES[:3] if isinstance(estimator, ae_multi.Segmenter) or len(
        estimator.sample_shape_) > 1 else ROWS[:3]  # fmt: skip
    answer = {
        ae_multi.AutoencoderTransformer: "transform",
        ae_multi.AnomalyDetector: "predict",
        ae_multi.Denoiser: "transform",
        ae_multi.Segmenter: "predict",
    }[type(estimator)]
    assert len(getattr(estimator, answer)(x)) == 3


# Trainings and weights.


def _training():
    """A model and callbacks as a training has them, made once for each process."""
    if "training" not in _made:
        import keras

        import ae_multi

        model = ae_multi.SimpleAutoencoder(3, (5,), seed=0)
        model.compile(keras.optimizers.Adam(1e-3))
        _made["training"] = model
    return _made["training"]


_made = {}


def _train(folder, **more):
    import keras

    import ae_multi

    x = ROWS.astype(np.float32)
    callbacks = [keras.callbacks.EarlyStopping("loss", patience=3)]
    ae_multi.fit(_training(), x, x, batch_size=20, epochs=1, verbose=0, callbacks=callbacks,
                 checkpoint=folder, **more)  # fmt: skip


def _checkpoints():
    def write(path):
        with tempfile.TemporaryDirectory() as folder:
            _train(folder)
            (held,) = Path(folder).glob("*.checkpoint")
            path.write_bytes(held.read_bytes())

    return {"checkpoint": write}


def _load_checkpoint(path):
    from ae_multi.checkpoints import Place

    path.rename(path.with_name(Place(1, 0).name))
    _train(path.parent, resume=True)
    assert all(np.ndim(weight) >= 0 for weight in _training().get_weights())


def _safetensors():
    import ae_multi

    return {"weights": lambda path: ae_multi.save_safetensors(_training(), path)}


def _load_safetensors(path):
    import ae_multi

    model = ae_multi.load_safetensors(path, _training())
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
        _training().save_weights(named)
        named.rename(path)

    def model(path):
        named = path.with_name("seed.keras")
        _training().save(named)
        named.rename(path)

    return {"weights": weights, "old": old, "model": model}


def _load_hdf5(path):
    import ae_multi

    model = ae_multi.from_keras(path, _training())
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

    model = ae_multi.from_torch(path, _training())
    assert model.encode(np.zeros((2, 5), np.float32)).shape == (2, 3)


# Data.


def _idx():
    from ae_multi.data.idx import write_idx_header

    data = write_idx_header((20, 6, 6)) + (IMAGES[:20] * 255).astype(np.uint8).tobytes()
    return {
        "plain": lambda path: path.write_bytes(data),
        "gzip": lambda path: path.write_bytes(gzip.compress(data)),
    }


def _load_idx(path):
    from ae_multi.data.idx import read_idx

    array = read_idx(path)
    assert array.dtype == np.uint8
    assert array.nbytes == array.size


def _npz():
    held = {"x": (IMAGES * 255).astype(np.uint8), "y": np.arange(24, dtype=np.uint8)}
    return {
        "stored": lambda path: np.savez(path, **held),
        "packed": lambda path: np.savez_compressed(path, **held),
    }


def _load_npz(path):
    from ae_multi.data.npz import read_npz

    arrays = read_npz(path, {"x": (24, 6, 6), "y": (24,)})
    assert arrays["x"].shape == (24, 6, 6)
    assert arrays["y"].dtype == np.uint8


def _tables():
    def write(path):
        rows = [",".join(map(str, (*row, place % 7 == 0))) for place, row in enumerate(ROWS)]
        path.write_text("a,b,c,d,e,alarm\n" + "\n".join(rows) + "\n")

    return {"table": write}


def _load_table(path):
    from ae_multi.data.table import load_table

    table = load_table(path, "alarm")
    assert np.isfinite(table.x).all()
    assert table.x.shape == (len(table.strange), len(table.columns))


def _mat():
    from scipy.io import savemat

    held = {"X": ROWS, "y": (ROWS[:, :1] > 0.9).astype(float)}
    return {
        "stored": lambda path: savemat(path, held),
        "packed": lambda path: savemat(path, held, do_compression=True),
    }


def _load_mat(path):
    from ae_multi.data.mat import read_mat

    rows, marks = read_mat(path)
    assert np.isfinite(rows).all()
    assert len(rows) == len(marks)


# What processes hand to each other.


def _traces():
    from ae_multi.parity.trace import Trace

    entry = {"name": "dense", "layer": "Dense", "terms": 36, "values": IMAGES[:4]}
    text = {**entry, "name": "names", "values": np.array(["a", "b"])}
    trace = Trace({"backend": "jax", "device": "cpu"}, {"forward": [entry], "start": [text] * 3})
    return {"trace": trace.save}


def _load_trace(path):
    from ae_multi.parity.trace import Trace

    trace = Trace.load(path)
    assert isinstance(trace.about, dict)
    for stage, entries in trace.stages.items():
        assert all(isinstance(values, np.ndarray) for values in trace.values(stage))
        assert all(isinstance(entry["name"], str) for entry in entries)


def _samples():
    from ae_multi.parity.samples import hand_over

    return {"samples": lambda path: hand_over(IMAGES, ROWS[:24], None, 0, path)}


def _load_samples(path):
    from ae_multi.parity.samples import receive

    samples = receive({"file": str(path)}, "float32")
    assert samples.xs
    assert all(array.ndim for array in samples.xs + samples.ys)


def _npy():
    return {
        "numbers": lambda path: np.save(path, IMAGES),
        "text": lambda path: np.save(path, np.array(["é", "ab"])),
        "booleans": lambda path: np.save(path, np.asfortranarray(IMAGES[0] > 0.5)),
    }


def _load_npy(path):
    from ae_multi.cli.parity import _load

    (array,) = _load([path])
    assert not array.dtype.hasobject
    repr(array)


# Settings and results in JSON.


def _plans():
    facts = {"step": {"scan": 0.1, "whole": 0.2}, "build": {"scan": 1.5, "whole": 3.0},
             "failed": ["capture"]}  # fmt: skip
    return {"plans": lambda path: path.write_text(json.dumps({"one": facts, "two": facts}))}


def _load_plans(path):
    from ae_multi.training import memory

    path.rename(path.with_name("plans.json"))
    memory._here.clear()
    with _environment(AE_MULTI_CACHE=str(path.parent)):
        for key in ("one", "two"):
            facts = memory.recall(key)
            assert isinstance(facts, dict)
            assert all(value >= 0 for value in facts.get("step", {}).values())


def _settings():
    held = {"backend": "torch", "floatx": "float32", "epsilon": 1e-07}
    return {"settings": lambda path: path.write_text(json.dumps(held))}


def _load_settings(path):
    from ae_multi.errors import BackendError, InputError
    from ae_multi.selection import _keras_default

    path.rename(path.with_name("keras.json"))
    with _environment(KERAS_HOME=str(path.parent)):
        try:
            assert _keras_default() in ("torch", "tensorflow", "jax", "numpy", "openvino")
        except BackendError as error:  # ours as well: it names what may be chosen
            raise InputError(str(error)) from error


def _results():
    runs = [{"row": "odds", "seed": seed, "value": 0.8} for seed in range(3)]
    return {"results": lambda path: path.write_text(json.dumps({"machine": {}, "runs": runs}))}


def _load_results(path):
    from benchmarks.command import recorded_before

    assert all(isinstance(run, dict) for run in recorded_before(path, "runs"))


@contextlib.contextmanager
def _environment(**values):
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


LOADERS = {
    "models": Loader(".keras", _models, _load_model, backend=True, share=3),
    "estimators": Loader(".ae", _estimators, _load_estimator, backend=True, share=3),
    "checkpoints": Loader(".checkpoint", _checkpoints, _load_checkpoint, backend=True, share=1.5),
    "safetensors": Loader(".safetensors", _safetensors, _load_safetensors, backend=True),
    "weights": Loader(".h5", _hdf5, _load_hdf5, backend=True),
    "pytorch": Loader(".pt", _pt, _load_pt, backend=True),
    "idx": Loader(".idx", _idx, _load_idx),
    "npz": Loader(".npz", _npz, _load_npz),
    "npy": Loader(".npy", _npy, _load_npy),
    "tables": Loader(".csv", _tables, _load_table),
    "mat": Loader(".mat", _mat, _load_mat),
    "traces": Loader(".npz", _traces, _load_trace, share=1.5),
    "samples": Loader(".npz", _samples, _load_samples),
    "plans": Loader(".json", _plans, _load_plans),
    "settings": Loader(".json", _settings, _load_settings),
    "results": Loader(".json", _results, _load_results),
}


def write_seeds(folder, names):
    """Write the files of the named loaders, each in a folder of its own below ``folder``."""
    for name in names:
        (Path(folder) / name).mkdir(parents=True)
        for seed, write in LOADERS[name].seeds().items():
            write(Path(folder) / name / f"{seed}{LOADERS[name].suffix}")
