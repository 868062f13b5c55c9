"""Files of estimators: round trips, and files refused without executing code."""

import hashlib
import json
import zipfile
from functools import cache

import numpy as np
import pytest

import ae_multi
from ae_multi.estimators import file_format

pytestmark = pytest.mark.backend

NAMES = [f"pixel {number}" for number in range(36)]
IMAGES = np.random.default_rng(0).random((30, 6, 6), np.float32)


def unfitted_estimators():
    small = {"epochs": 2, "latent_dim": 3}
    model = ae_multi.SimpleAutoencoder(3, (6, 6), seed=5)
    return {
        "transformer": ae_multi.AutoencoderTransformer(model, random_state=np.int64(4), **small),
        "detector": ae_multi.AnomalyDetector("conv", hidden=(2,), contamination=0.1, **small),
        "denoiser": ae_multi.Denoiser("deep", hidden=(4,), scale="standard", **small),
        "unet": ae_multi.Denoiser(hidden=(2, 3), epochs=2),
        "segmenter": ae_multi.Segmenter(filters=(2, 3), epochs=2),
    }


def target_of(name):
    """Return the arguments of `fit` after the images."""
    return (IMAGES > 0.5,) if name == "segmenter" else ()


@pytest.fixture(scope="module")
def fitted():
    """Return a function from a name to the fitted estimator, which is cached."""

    unfitted = unfitted_estimators()

    @cache
    def fit(name):
        return unfitted[name].fit(IMAGES, *target_of(name))

    return fit


METHODS = {
    "transformer": "reconstruct",
    "detector": "decision_function",
    "denoiser": "transform",
    "unet": "transform",
    "segmenter": "predict",
}


@pytest.mark.parametrize(
    "name",
    ["transformer", *(pytest.param(name, marks=pytest.mark.once) for name in [*METHODS][1:])],
)
def test_loaded_estimator_equals_the_saved_one(name, fitted, tmp_path):
    path, saved = tmp_path / "one.ae", fitted(name)
    saved.save(path)
    for load in (ae_multi.load_estimator, type(saved).load):
        loaded = load(path)
        assert type(loaded) is type(saved)
        method = METHODS[name]
        np.testing.assert_array_equal(
            getattr(loaded, method)(IMAGES), getattr(saved, method)(IMAGES)
        )
        assert {**loaded.get_params(), "model": 0} == {**saved.get_params(), "model": 0}
        assert loaded.loss_curve_ == saved.loss_curve_
        assert loaded.provenance_ == saved.provenance_
        assert loaded.sample_shape_ == (6, 6)
        assert set(vars(loaded)) == set(vars(saved))
    # Training continues with the saved optimizer, and `fit` starts again.
    target = target_of(name)
    assert int(loaded.network_.optimizer.iterations) == int(saved.network_.optimizer.iterations)
    loaded.partial_fit(IMAGES, *target)
    assert loaded.n_iter_ == 3
    refitted = load(path).fit(IMAGES, *target)
    np.testing.assert_allclose(refitted.loss_curve_, saved.loss_curve_, rtol=1e-5)


def test_feature_names_are_saved(tmp_path, fitted):
    detector = fitted("detector")
    detector.feature_names_in_ = np.array(NAMES, dtype=object)
    try:
        detector.save(tmp_path / "named.ae")
    finally:
        del detector.feature_names_in_
    loaded = ae_multi.load_estimator(tmp_path / "named.ae")
    assert loaded.feature_names_in_.tolist() == NAMES
    assert loaded.feature_names_in_.dtype == object


@pytest.fixture
def path(tmp_path, fitted):
    fitted("detector").save(tmp_path / "one.ae")
    return tmp_path / "one.ae"


def rewrite(path, manifest=None, parts=None, update_digests=True):
    """Change the manifest or parts of a file.

    Args:
        manifest: Function that changes the manifest, a dict, in place.
        parts: Bytes of the changed entries, by name.
        update_digests: Whether the digests of the changed file are correct.
    """
    with zipfile.ZipFile(path) as old:
        entries = {name: old.read(name) for name in old.namelist()}
    entries.update(parts or {})
    changed = json.loads(entries["manifest.json"])
    if update_digests:
        changed["parts"] = {
            name: hashlib.sha256(content).hexdigest()
            for name, content in entries.items()
            if not name.startswith("manifest.")
        }
    if manifest is not None:
        manifest(changed)
    if manifest or update_digests:
        entries["manifest.json"] = json.dumps(changed).encode()
    if update_digests:
        entries["manifest.sha256"] = hashlib.sha256(entries["manifest.json"]).hexdigest().encode()
    with zipfile.ZipFile(path, "w") as new:
        for name, content in entries.items():
            new.writestr(name, content)


def change(*keys, value):
    """Return a function that sets an entry of a manifest."""

    def set_entry(manifest):
        for key in keys[:-1]:
            manifest = manifest[key]
        manifest[keys[-1]] = value

    return set_entry


def test_rewritten_file_loads(path, fitted):
    rewrite(path)
    decisions = ae_multi.load_estimator(path).decision_function(IMAGES)
    np.testing.assert_array_equal(decisions, fitted("detector").decision_function(IMAGES))


@pytest.mark.parametrize(
    ("manifest", "update_digests", "message"),
    [
        (change("format", value=2), True, "format 1 or older. Received: .* of format 2, .* newer"),
        (change("class", value="Pipeline"), True, "Received: 'Pipeline', which .* does not know"),
        (change("class", value="os.system"), True, "does not know"),
        (change("class", value={}), True, "does not know"),
        (change("fitted", "sample_shape_", value={"tuple": [5]}), True, "sample_shape_ to be a"),
        (change("fitted", "input_offset_", value=None), True, "input_offset_ to be a"),
        (change("fitted", "loss_curve_", value=[]), True, "loss_curve_ to be a"),
        (change("fitted", "offset_", value={"number": "nan"}), True, "offset_ to be a"),
        (change("fitted", "neighbors_", value=0), True, "neighbors_ to be a"),
        (change("fitted", "weight_", value=None), True, "weight_ to be a"),
        (change("parameters", "scale", value="log"), True, "Expected scale to be"),
        (change("fitted", "offset_", value=-9.0), False, "an altered or damaged manifest.json"),
        (change("fitted", "__class__", value="x"), True, "'__class__' is not a fitted attribute"),
        (change("fitted", "fit", value="x"), True, "'fit' is not a fitted attribute"),
        (change("parameters", "depth", value=3), True, "cannot be read .*depth"),
        (change("fitted", "network_", value={"python": "1 + 1"}), True, "not a type of value"),
        (change("fitted", "network_", value={"model": "x.keras"}), True, "the part 'x.keras'"),
        (change("format", value="one"), True, "an altered or damaged manifest.json"),
    ],
    ids=["newer", "class", "code", "dict", "shape", "scale", "curve", "nan", "neighbors", "weight",
         "choice", "threshold", "magic", "method", "parameter", "kind", "part", "format"],
)  # fmt: skip
def test_altered_manifest_is_refused(path, manifest, update_digests, message):
    rewrite(path, manifest, update_digests=update_digests)
    with pytest.raises(ae_multi.InputError, match=message):
        ae_multi.load_estimator(path)


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a file has executed code",))


@pytest.mark.parametrize("update_digests", [True, False])
def test_pickled_objects_are_refused(path, update_digests, tmp_path):
    np.save(tmp_path / "bomb.npy", np.array([Bomb()], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(path) as file:
        array = next(name for name in file.namelist() if name.endswith(".npy"))
    parts = {array: (tmp_path / "bomb.npy").read_bytes()}
    rewrite(path, parts=parts, update_digests=update_digests)
    message = "pickled Python objects" if update_digests else f"an altered or damaged {array}"
    with pytest.raises(ae_multi.InputError, match=message):
        ae_multi.load_estimator(path)


def test_model_with_a_lambda_is_refused(path, keras, tmp_path):
    inputs = keras.Input((6, 6))
    model = keras.Model(inputs, keras.layers.Lambda(lambda x: x)(inputs))
    model.save(tmp_path / "lambda.keras")
    with zipfile.ZipFile(path) as file:
        name = next(name for name in file.namelist() if name.endswith(".keras"))
    rewrite(path, parts={name: (tmp_path / "lambda.keras").read_bytes()})
    with pytest.raises(ae_multi.InputError, match=r"cannot be read .*[Ll]ambda"):
        ae_multi.load_estimator(path)


def test_damaged_bytes_are_refused_or_harmless(path):
    """Truncated and changed files are refused, unless the change has no effect."""
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for length in rng.integers(0, len(content), 20):
        path.write_bytes(content[:length])
        with pytest.raises(ae_multi.InputError):
            ae_multi.load_estimator(path)
    expected = None
    refused = 0
    for offset in rng.integers(0, len(content), 40):
        damaged = bytearray(content)
        damaged[offset] ^= 0x55
        path.write_bytes(damaged)
        try:
            loaded = ae_multi.load_estimator(path)
        except ae_multi.InputError:
            refused += 1
            continue
        # Metadata of the zip archive, such as times, may change.
        expected = expected if expected is not None else loaded.decision_function(IMAGES)
        np.testing.assert_array_equal(loaded.decision_function(IMAGES), expected)
    assert refused > 30


def test_other_files_are_refused(tmp_path, fitted):
    with pytest.raises(ae_multi.InputError, match="which is not a file"):
        ae_multi.load_estimator(tmp_path / "none.ae")
    with zipfile.ZipFile(tmp_path / "other.ae", "w") as file:
        file.writestr("hello.txt", "hello")
    with pytest.raises(ae_multi.InputError, match="another zip archive"):
        ae_multi.load_estimator(tmp_path / "other.ae")
    fitted("denoiser").save(tmp_path / "denoiser.ae")
    with pytest.raises(ae_multi.InputError, match=r"class AnomalyDetector\. Received: Denoiser"):
        ae_multi.AnomalyDetector.load(tmp_path / "denoiser.ae")


def test_unregistered_classes_and_values_are_not_saved(tmp_path, fitted):
    class Mine(ae_multi.AnomalyDetector):
        pass

    with pytest.raises(
        ae_multi.InputError, match=r"the classes that a file can contain. Received: .*Mine"
    ):
        Mine("simple", epochs=1).fit(IMAGES).save(tmp_path / "mine.ae")
    detector = ae_multi.AnomalyDetector("simple", epochs=1).fit(IMAGES).set_params(loss=print)
    with pytest.raises(ae_multi.InputError, match="loss to be numbers, text or a Keras model"):
        detector.save(tmp_path / "one.ae")
    with pytest.raises(ae_multi.InputError, match="is not a folder"):
        fitted("detector").save(tmp_path / "no" / "folder.ae")
    assert not list(tmp_path.iterdir())


def test_file_format_lists_all_estimators():
    assert set(file_format.CLASSES) == {
        name for name in vars(ae_multi.estimators) if name[0].isupper()
    } - {"TablePreprocessor"}  # part of a detector
