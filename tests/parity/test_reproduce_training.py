"""Scripts that reproduce a divergence in training, compared with NumPy in float64."""

import json
import os
import re
import subprocess

import numpy as np
import pytest

from ae_multi.backend_selection import BACKENDS
from ae_multi.parity.divergence import Divergence
from ae_multi.parity.reproduce_training import write_training_script
from tests.reference.numpy_dense import loss_and_gradients, train_sgd
from tests.reference.pages import ROOT

pytestmark = [pytest.mark.across, pytest.mark.slow]

MODELS = ROOT / "tests" / "reference" / "training_models.py"
KINDS = ("relu", "sigmoid")
X = np.random.default_rng(0).random((24, 6), np.float32)
BATCHES = [X[:8], X[8:16], X[16:]]

REPRO_DATA = """
import json, sys
import numpy as np
from ae_multi.parity import model_builder, repro_data
x = np.load("x.npy")
for name in ("dense", "twice", "with_dropout"):
    model = model_builder.build(f"{sys.argv[1]}:{name}", [x])
    batches = [([part], [part]) for part in np.split(x, 3)]
    for steps in (1, 3):
        repro_data.save_training_data(
            f"{name}{steps}.npz", model, f"{sys.argv[1]}:{name}", ".", batches[:steps]
        )
"""


@pytest.fixture(scope="module")
def repro_data_folder(pythons, tmp_path_factory):
    """Folder with the data of each model, for one step and for three steps."""
    folder = tmp_path_factory.mktemp("repro_data_folder")
    np.save(folder / "x.npy", X)
    subprocess.run(
        [pythons["jax"], "-c", REPRO_DATA, MODELS],
        cwd=folder,
        check=True,
        env={**os.environ, "KERAS_BACKEND": "jax"},
    )
    return folder


def divergence(stage, place, name="the entry"):
    return Divergence(stage, place, name, "", (), dict.fromkeys(BACKENDS, 0.0), {}, ("torch",), {})


def write_script(*arguments):
    return write_training_script(*arguments, dict.fromkeys(BACKENDS, "python"))


def weights(repro_data):
    with np.load(repro_data) as file:
        return [file[f"weight{i}"] for i in range(4)]


# Run the scripts, and assert that PyTorch compiled none of them.
RUN = """
import runpy, sys
for path in sys.argv[1:]:
    runpy.run_path(path)
if "torch" in sys.modules:
    import torch
    assert not torch._dynamo.utils.counters["frames"], torch._dynamo.utils.counters
"""


def shown(python, backend, *scripts):
    """Run scripts on a backend and return the error that each one prints."""
    done = subprocess.run(
        [python, "-c", RUN, *map(str, scripts)],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [float(error) for error in re.findall(r"is off by (\S+) of", done.stdout)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_script_reports_rounding_errors_for_a_correct_backend(
    repro_data_folder, pythons, tmp_path, backend
):
    start = weights(repro_data_folder / "dense1.npz")
    loss, gradients = loss_and_gradients(start, KINDS, BATCHES[0])
    _, losses = train_sgd(start, KINDS, BATCHES, 0.5)
    stepped, _ = train_sgd(start, KINDS, BATCHES[:1], 0.5)
    cases = [
        ("gradient", 0, 1, loss),
        ("gradient", 3, 1, gradients[2]),
        ("one step", 2, 1, stepped[2]),
        ("losses", 2, 3, losses[2]),
        ("losses", 2, 3, 1.01 * losses[2]),  # a wrong reference gives a large error
    ]
    scripts = [tmp_path / f"show{i}.py" for i in range(len(cases))]
    for script, (stage, place, steps, exact) in zip(scripts, cases, strict=True):
        repro_data = repro_data_folder / f"dense{steps}.npz"
        assert write_script(script, divergence(stage, place), repro_data, exact) is None
        assert "ae_multi" not in script.read_text()
    *correct, wrong = shown(pythons[backend], backend, *scripts)
    assert len(correct) == 4
    assert max(correct) < 1e-6
    assert wrong == pytest.approx(0.0099, rel=0.01)


@pytest.mark.parametrize(("backend", "size"), [("torch", 1.0), ("tensorflow", 0.0)])
def test_script_reports_a_doubled_gradient_of_a_custom_layer(
    repro_data_folder, pythons, tmp_path, backend, size
):
    repro_data, script = repro_data_folder / "twice1.npz", tmp_path / "show.py"
    _, gradients = loss_and_gradients(weights(repro_data), KINDS, BATCHES[0])
    assert write_script(script, divergence("gradient", 1), repro_data, gradients[0]) is None
    assert f"Requires Keras, NumPy and {MODELS}:twice, since" in script.read_text()
    (error,) = shown(pythons[backend], backend, script)
    assert error == pytest.approx(size, abs=1e-6)


def test_random_model_gets_no_script(repro_data_folder, tmp_path):
    script = tmp_path / "show.py"
    repro_data = repro_data_folder / "with_dropout1.npz"
    reason = write_script(script, divergence("gradient", 0), repro_data, 0.0)
    assert reason == "the model draws random numbers in training (dropout)"
    assert list(tmp_path.iterdir()) == []


def test_model_is_stored_by_its_config_if_possible(repro_data_folder):
    def stored_config(name):
        with np.load(repro_data_folder / name, allow_pickle=False) as file:
            return str(file["model"])

    assert json.loads(stored_config("dense1.npz"))["class_name"] == "Sequential"
    assert stored_config("twice1.npz") == ""
