"""Named environments, recorded traces, weights from files and quick checks, with backends."""

import json
import re
import shlex
import subprocess

import numpy as np
import pytest

from ae_multi.cli import main
from ae_multi.errors import InputError
from ae_multi.parity import check, compare, record
from ae_multi.parity.sampling import MAX_UNSAMPLED_SIZE
from tests.reference.pages import ROOT
from tests.reference.patched_interpreter import patched_interpreter

pytestmark = pytest.mark.across

MODELS = ROOT / "tests" / "reference" / "keras_models.py"
LEAK = (
    "nn = keras.src.backend.nn\nreal = nn.relu\nnn.relu = lambda x: real(x) + 1e-3 * (x - real(x))"
)
FILE_OF_A_MODEL = """
import sys
import keras
layers = keras.layers
model = keras.Sequential([
    keras.Input((6,)),
    layers.Dense(40, activation="relu", name="inner"),
    layers.BatchNormalization(name="normal"),
    layers.Dense(6, name="outer"),
])
model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse")
keras.utils.set_random_seed(5)
model.set_weights([0.1 * keras.ops.convert_to_numpy(keras.random.normal(w.shape)) ** 2
                   for w in model.weights])
model.fit(*2 * [keras.random.normal((64, 6))], verbose=0)
model.save(sys.argv[1])
"""


@pytest.fixture
def models(tmp_path, monkeypatch):
    """Reference to a function that builds a model with arrays large enough to be sampled."""
    path = tmp_path / "models_of_this_test.py"
    path.write_text(
        "import keras\n"
        "layers = keras.layers\n"
        "def build():\n"
        "    return keras.Sequential([keras.Input((6,)), layers.Dense(300, activation='relu',\n"
        "        name='inner'), layers.Dropout(0.3), layers.Dense(6, name='outer')])\n"
    )
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    return f"{path}:build"


@pytest.mark.slow
def test_recorded_traces_agree_as_a_live_check_does(pythons, models, tmp_path):
    for name in ("torch", "jax"):
        arguments = [
            "--shape=6",
            "--steps=3",
            "--epoch",
            "--seed=2",
            f"--python={name}={pythons[name]}",
        ]
        arguments += [] if name == "jax" else ["--no-reference"]
        assert main(["parity", "record", models, f"--out={tmp_path / name}.trace", *arguments]) == 0
        assert (tmp_path / f"{name}.trace").stat().st_size < 300_000
    report = compare(tmp_path / "torch.trace", tmp_path / "jax.trace")
    assert report.agree, str(report)
    assert (report.oracle, list(report.backends)) == ("jax", ["torch", "jax"])
    assert report.sampled > 0
    live = check(
        models, shape=6, steps=3, seed=2, epoch=True, pythons=pythons, backends=["torch", "jax"]
    )
    assert "epoch" in [stage.name for stage in report.stages]
    stages = zip(report.stages, live.stages, strict=True)
    for stage, expected in stages:
        assert stage.compared == expected.compared
        for entry, other in zip(stage.entries, expected.entries, strict=True):
            assert (entry.name, entry.shape) == (other.name, other.shape)
            if np.prod(other.shape) <= MAX_UNSAMPLED_SIZE:
                assert entry.error == pytest.approx(other.error)
            for name, bound in entry.bound.items():
                if entry.source[name] != "others":
                    assert bound == pytest.approx(other.bound[name], rel=1e-3), str(entry)


@pytest.mark.slow
def test_recorded_traces_differ_where_a_live_check_does(pythons, tmp_path, capsys):
    for name in ("torch", "jax"):
        record(
            f"{MODELS}:bicubic",
            shape=(8, 8, 1),
            out=tmp_path / f"{name}.trace",
            backend=name,
            python=pythons[name],
            quick=True,
            reference=name == "jax",
        )
    paths = [str(tmp_path / f"{name}.trace") for name in ("torch", "jax")]
    assert main(["parity", "compare", *paths]) == 1
    first = "First divergence: forward, enlarge (UpSampling2D), shape (32, 16, 16, 4)"
    assert first in capsys.readouterr().out


def test_environments_of_one_backend_are_compared(pythons, models, tmp_path, capsys):
    altered = patched_interpreter(pythons["jax"], tmp_path / "altered", LEAK)
    out, script = tmp_path / "out.json", tmp_path / "show.py"
    arguments = ["--shape=6", "--quick", f"--env=old={pythons['jax']}", f"--json={out}"]
    arguments += [f"--env=new={altered}", f"--script={script}"]
    assert main(["parity", models, *arguments]) == 1
    assert "inner (Dense)" in capsys.readouterr().out
    (model,) = json.loads(out.read_text())["models"]
    first = model["first_divergence"]
    assert (first["name"], first["guilty"]) == ("inner", ["new"])
    assert {name: about["backend"] for name, about in model["backends"].items()} == {
        "old": "jax",
        "new": "jax",
    }
    assert model["oracle"] == "old"
    # The script names a command for each environment, that of the diverging one first. Only the
    # processes of a check have the fault, so the script finds no error.
    commands = re.findall(r"^    (KERAS_BACKEND=.*)", script.read_text(), re.MULTILINE)
    pythons_of = (altered, pythons["jax"])
    assert commands == [f"KERAS_BACKEND=jax {shlex.quote(p)} show.py" for p in pythons_of]
    for command in commands:
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert float(re.search(r"inner is off by (\S+) ", done.stdout)[1]) < 1e-6


def test_quick_check_has_no_steps(pythons):
    report = check(
        "ae_multi.models:DeepAutoencoder",
        "digits",
        backends=["jax"],
        pythons=pythons,
        quick=True,
    )
    assert report.agree, str(report)
    stages = [stage.name for stage in report.stages]
    assert stages == ["start", "order", "forward", "training forward", "gradient"]
    with pytest.raises(InputError, match=r"either quick or a training"):
        check("m:f", shape=3, quick=True, epoch=True)


@pytest.fixture
def model_file(run_on, tmp_path):
    """Path of a model that Keras alone trained and saved on PyTorch."""
    path = tmp_path / "trained.keras"
    run_on("torch", FILE_OF_A_MODEL, str(path))
    return str(path)


@pytest.mark.slow
def test_model_from_a_file_starts_from_the_weights_in_the_file(
    model_file, pythons, run_on, tmp_path
):
    report = check(model_file, shape=6, steps=3, backends=["torch", "jax"], pythons=pythons)
    assert report.agree, str(report)
    assert report.model == model_file
    largest = {stage.name: max(stage.largest.values()) for stage in report.stages}
    # If the reference were in float32, the errors of its backend would be 0.
    assert all(stage.entries[-1].error["jax"] > 0 for stage in report.stages[2:5])
    assert 0 < largest["losses"] < 1e-5
    start = record(model_file, shape=6, backend="jax", python=pythons["jax"], quick=True)
    code = (
        "import keras, numpy, sys\n"
        "model = keras.saving.load_model(sys.argv[1])\n"
        "numpy.savez(sys.argv[2], *map(keras.ops.convert_to_numpy, model.weights))"
    )
    run_on("torch", code, model_file, str(tmp_path / "weights.npz"))
    with np.load(tmp_path / "weights.npz") as saved:
        for entry, name in zip(start.trace.stages["start"], saved.files, strict=True):
            np.testing.assert_array_equal(entry["values"], saved[name])
    assert {e["values"].dtype for e in start.reference.stages["forward"]} == {np.dtype("f8")}


SAME_LAYERS = (
    "import keras\nlayers = keras.layers\n"
    "def build(width=40):\n"
    "    model = keras.Sequential([keras.Input((6,)), layers.Dense(width, activation='relu'),\n"
    "        layers.BatchNormalization(), layers.Dense(6)])\n"
    "    model.compile('sgd', 'mse')\n"
    "    return model\n"
    "def wider():\n"
    "    return build(41)\n"
)


@pytest.mark.slow
def test_weights_from_a_file_replace_those_from_the_seed(model_file, pythons, tmp_path, capsys):
    (tmp_path / "same.py").write_text(SAME_LAYERS)
    build = f"{tmp_path / 'same.py'}:build"
    options = {"shape": 6, "backend": "jax", "python": pythons["jax"], "quick": True}
    drawn = record(build, **options, reference=False)
    loaded = record(build, **options, weights=model_file)
    from_file = record(model_file, **options, reference=False)
    for entry, expected, other in zip(
        *(f.trace.stages["start"] for f in (loaded, from_file, drawn)), strict=True
    ):
        np.testing.assert_array_equal(entry["values"], expected["values"])
        assert np.any(entry["values"] != other["values"])
    named = [f"--python=jax={pythons['jax']}", "--shape=6", "--backends=jax", "--quick"]
    wrong = f"{tmp_path / 'same.py'}:wider"
    assert main(["parity", wrong, *named, f"--weights={model_file}"]) == 2
    error = re.sub(r"\s+", " ", capsys.readouterr().err)
    assert "Expected the weights in" in error
    assert "to fit the model. Received:" in error
    assert main(["parity", wrong, *named, "--weights=/nowhere.keras"]) == 2
    assert "the .keras file" in capsys.readouterr().err
