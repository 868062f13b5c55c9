"""Parity checks of models on all backends."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from ae_multi.backend_selection import BACKENDS
from ae_multi.errors import InputError
from ae_multi.parity import check
from tests.reference.pages import ROOT
from tests.reference.patched_interpreter import patched_interpreter

pytestmark = pytest.mark.across

MODELS = ROOT / "tests" / "reference" / "keras_models.py"
CORRECT_MODELS = ROOT / "tests" / "robustness" / "false_positives" / "models.py"


def run(pythons, name, *arguments):
    named = [f"--python={backend}={path}" for backend, path in pythons.items()]
    return subprocess.run(
        [sys.executable, "-m", "ae_multi", "parity", f"{MODELS}:{name}", *named, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_shallow_model_agrees(pythons):
    report = check(
        "ae_multi.models:SimpleAutoencoder", "digits", backends=BACKENDS, pythons=pythons, steps=12
    )
    assert report.agree, str(report)
    largest = {stage.name: max(stage.largest.values()) for stage in report.stages}
    assert 0 < largest["forward"] < 1e-6
    assert 0 < largest["gradient"] < 2e-6
    assert 0 < largest["losses"] < 1e-5


@pytest.mark.slow
def test_deep_model_agrees_over_an_epoch_and_in_float64(pythons):
    """Use scikit-learn's digits, with an epoch and float64."""
    report = check(
        "ae_multi.models:DeepAutoencoder",
        "digits",
        pythons=pythons,
        batch_size=128,
        epoch=True,
        float64=True,
    )
    assert report.agree, str(report)
    assert list(report.backends) == ["torch", "tensorflow", "jax", "numpy"]
    largest = {stage.name: max(stage.largest.values()) for stage in report.stages}
    assert 0 < largest["forward"] < 1e-6
    assert 0 < largest["gradient"] < 2e-6
    assert 0 < largest["epoch"] < 1e-5
    assert 0 < largest["float64"] < 1e-12
    stages = {stage.name: stage for stage in report.stages}
    assert stages["forward"].compared >= 7
    # Twelve batches, the running loss and the test images.
    assert stages["epoch"].compared == 14
    assert stages["epoch"].entries[-1].shape == (360,)
    assert set(report.curves["epoch"]) == {"torch", "tensorflow", "jax", "planted fault"}
    assert max(report.curves["epoch"]["jax"]) < 1e-6 < max(report.curves["epoch"]["planted fault"])


@pytest.mark.slow
def test_openvino_takes_part_in_the_forward_stages(pythons):
    """OpenVINO, in JAX's environment, computes no gradients and no float64."""
    report = check(
        "ae_multi.models:DeepAutoencoder",
        "digits",
        backends=("jax", "numpy", "openvino"),
        float64=True,
        pythons={**pythons, "openvino": pythons["jax"]},
        steps=3,
    )
    assert report.agree, str(report)
    stages = {stage.name: stage for stage in report.stages}
    assert set(stages["forward"].largest) == {"jax", "numpy", "openvino"}
    assert 0 < stages["forward"].largest["openvino"] < 1e-6
    assert set(stages["gradient"].largest) == {"jax"}
    assert "openvino" not in stages["float64"].largest


def test_bfloat16_has_bounds_of_its_own(pythons):
    """Bicubic interpolation on PyTorch is off by 5e-2, more than bfloat16 explains."""
    report = check(
        "ae_multi.models:SimpleAutoencoder",
        "digits",
        backends=["torch", "jax"],
        pythons=pythons,
        steps=6,
        dtype_policy="mixed_bfloat16",
    )
    assert report.agree, str(report)
    largest = {stage.name: max(stage.largest.values()) for stage in report.stages}
    assert largest["start"] == 0
    assert 1e-4 < largest["forward"] < 2.0**-6
    assert {about["precision"] for about in report.backends.values()} == {"bfloat16, TF32 off"}
    done = run(
        pythons, "bicubic", "--shape=8,8,1", "--backends=torch,jax", "--quick",
        "--dtype-policy=mixed_bfloat16",
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "enlarge (UpSampling2D)" in done.stdout


def test_unknown_dtype_policy_is_refused(pythons):
    with pytest.raises(InputError, match=r"one of mixed_bfloat16, .*Received: 'int8'"):
        check("ae_multi.models:SimpleAutoencoder", "digits", dtype_policy="int8", pythons=pythons)


@pytest.mark.slow
def test_variational_model_agrees(pythons):
    """`nox -s parity` checks the other models of the package."""
    report = check(f"{MODELS}:variational", shape=(9, 6, 1), pythons=pythons, steps=3)
    assert report.agree, str(report)
    # Keras's NumPy backend runs the model, although it cannot add two losses.
    assert list(report.backends) == [*BACKENDS, "numpy"]
    largest = {stage.name: max(stage.largest.values()) for stage in report.stages}
    assert 0 < largest["training forward"] < 2e-6
    assert 0 < largest["gradient"] < 5e-6


def test_trainings_and_plans_are_within_the_spread_of_rounding(pythons, tmp_path):
    done = run(
        {"jax": pythons["jax"]},
        "bicubic",
        "--shape",
        "8,8,1",
        "--steps",
        "1",
        "--training",
        "2",
        "--spread-runs",
        "2",
        "--json",
        str(tmp_path / "out.json"),
        "--figure",
        str(tmp_path / "out.png"),
        "--backends",
        "jax",
        "--plans",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (model,) = json.loads((tmp_path / "out.json").read_text())["models"]
    training, plans = model["rungs"][-2:]
    names = ["jax scan", "jax scan-eigen", "jax step"]
    assert (training["rung"], plans["rung"]) == ("training", "plans")
    assert sorted(training["largest"]) == ["jax", *names]
    assert sorted(plans["largest"]) == names
    assert plans["compared"] == 4 + 1  # weights after one step, and the loss of that step
    assert 0 < max(plans["largest"].values()) < 1e-4
    assert training["closest"]["name"] == "test error after 2 epochs"
    assert set(training["closest"]["source"].values()) == {"spread"}
    curves = model["curves"]["training"]
    assert set(curves) == {"jax", *(f"perturbed by rounding, {n}" for n in (1, 2)), "planted fault"}
    assert {len(curve) for curve in curves.values()} == {8}  # steps of the first epoch
    assert 0 < max(curves["jax"]) < 1e-4 < max(curves["planted fault"])
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_model_with_random_layers_and_two_inputs_agrees(pythons):
    report = check(
        f"{MODELS}:two_inputs",
        shape=[(8, 8, 2), (5,)],
        backends=["torch", "jax"],
        pythons=pythons,
        steps=6,
    )
    assert report.agree, str(report)
    assert report.not_comparable == []


def test_bicubic_upsampling_is_the_first_divergence(pythons, tmp_path):
    done = run(
        pythons,
        "bicubic",
        "--shape",
        "8,8,1",
        "--backends",
        "torch,jax",
        "--steps",
        "2",
        "--json",
        str(tmp_path / "out.json"),
        "--script",
        str(tmp_path / "show.py"),
        "--html",
        str(tmp_path / "out.html"),
    )
    assert done.returncode == 1, done.stderr
    assert "Backends differ: torch from jax, which agrees with float64." in done.stdout
    assert "enlarge (UpSampling2D)" in done.stdout
    assert "What to do: Train and run this model on one side" in done.stdout
    (model,) = json.loads((tmp_path / "out.json").read_text())["models"]
    assert model["model"].endswith(":bicubic")
    first = model["first_divergence"]
    assert first["rung"] == "forward"
    assert first["name"] == "enlarge"
    assert first["guilty"] == ["torch"]
    assert first["error"]["torch"] > 1e-2
    assert first["error"]["jax"] < 1e-6
    page = (tmp_path / "out.html").read_text()
    assert f'data-error="{first["error"]["torch"]!r}"' in page
    # The script computes the same errors without this package.
    for backend in ("torch", "jax"):
        shown = subprocess.run(
            [pythons[backend], tmp_path / "show.py"],
            env={**os.environ, "KERAS_BACKEND": backend},
            capture_output=True,
            text=True,
            check=False,
        )
        error = float(re.search(r"enlarge is off by (\S+) ", shown.stdout)[1])
        assert error == pytest.approx(first["error"][backend], rel=0.1, abs=1e-6), shown.stderr
    assert "ae_multi" not in (tmp_path / "show.py").read_text()


@pytest.mark.slow
def test_normalization_of_a_large_mean_is_the_first_divergence(pythons):
    report = check(
        f"{MODELS}:large_mean", shape=10, backends=["tensorflow", "torch"], pythons=pythons, steps=2
    )
    first = report.first_divergence
    assert (first.stage, first.name, first.diverging) == (
        "training forward",
        "normalise",
        ("torch",),
    )


@pytest.mark.slow
def test_sum_of_many_equal_terms_agrees(pythons):
    """TensorFlow adds 8,192 terms one after another; the dtype of its counter differs."""
    report = check(
        f"{CORRECT_MODELS}:pooled",
        shape=(16, 16, 3),
        backends=["tensorflow", "jax"],
        pythons=pythons,
        steps=1,
    )
    assert report.agree, str(report)
    stages = {stage.name: stage for stage in report.stages}
    assert "normalization/count" in [entry.name for entry in stages["start"].entries]
    (bias,) = (entry for entry in stages["gradient"].entries if entry.name == "depthwise/bias")
    assert bias.source["tensorflow"] == "summation"
    # At most half of the worst case, n · 2⁻²⁴, of a sum of n terms.
    assert 1e-6 < bias.error["tensorflow"] < bias.bound["tensorflow"] < 8192 * 2.0**-24 / 2


@pytest.mark.slow
def test_mean_of_zero_is_compared_with_its_terms(pythons):
    report = check(
        f"{CORRECT_MODELS}:inverted_residual",
        shape=(16, 16, 3),
        backends=["tensorflow", "jax"],
        pythons=pythons,
        steps=1,
    )
    assert report.agree, str(report)
    step = next(stage for stage in report.stages if stage.name == "one step")
    (mean,) = (entry for entry in step.entries if entry.name == "zero_mean/moving_mean")
    assert mean.measure == "size of its terms"
    assert 0 < mean.error["tensorflow"] < 1e-5
    assert max(step.largest.values()) < 1e-2


def test_divergence_of_a_forward_only_backend_is_a_remark(pythons):
    """NumPy's variance loses digits if the mean is larger than the standard deviation."""
    done = run(
        {**pythons, "numpy": pythons["jax"]},
        "mean_beyond_spread",
        "--shape",
        "16,16,3",
        "--backends",
        "jax,numpy",
        "--steps",
        "1",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The backends agree." in done.stdout
    assert "not part of the verdict, since numpy only runs models forward" in done.stdout
    assert "normalise (BatchNormalization)" in done.stdout


def test_fault_in_the_reference_backend_is_attributed_to_it(pythons, tmp_path):
    """A fault is injected into JAX, which also computes the float64 reference."""
    leak = (
        "nn = keras.src.backend.nn\nreal = nn.relu\n"
        "nn.relu = lambda x: real(x) + 1e-3 * (x - real(x))"
    )
    odd = patched_interpreter(pythons["jax"], tmp_path / "altered", leak)
    report = check(
        f"{CORRECT_MODELS}:by_median",
        shape=40,
        backends=[*BACKENDS, "numpy"],
        steps=1,
        pythons={**pythons, "jax": odd, "numpy": pythons["jax"]},
    )
    assert report.oracle == "jax"
    first = report.first_divergence
    assert (first.stage, first.layer, first.diverging) == ("forward", "Dense", ("jax",))
    assert "jax differs from torch, tensorflow and numpy, which agree" in str(report)
    assert {entry.diverging for stage in report.stages for entry in stage.divergences} == {("jax",)}
    assert report.remarks == {}


@pytest.mark.slow
def test_adam_on_repeated_embedding_rows_is_the_first_divergence(pythons):
    words = np.random.default_rng(0).integers(0, 9, (64, 6))
    report = check(
        f"{MODELS}:repeated_words", words, backends=["tensorflow", "jax"], pythons=pythons, steps=1
    )
    first = report.first_divergence
    assert (first.stage, first.name, first.diverging) == (
        "one step",
        "words/embeddings",
        ("tensorflow",),
    )


def test_command_exits_with_0_when_backends_agree(pythons, tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((40, 8, 8, 2), np.float32))
    np.save(tmp_path / "t.npy", np.random.default_rng(1).random((40, 5), np.float32))
    done = run(
        pythons,
        "two_inputs",
        "--data",
        str(tmp_path / "x.npy"),
        "--data",
        str(tmp_path / "t.npy"),
        "--backends",
        "jax",
        "--steps",
        "1",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The backends agree." in done.stdout


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("missing", ["--shape", "3"], "function missing in"),
        ("nothing", ["--shape", "3"], "to return a Keras model. Received: int"),
        ("failing", ["--shape", "3"], "to build a model. Received: RuntimeError: the cause"),
        ("bicubic", ["--shape", "9,9,3"], "(n, 9, 9, 3)."),
        ("bicubic", [], "--shape N,N,N (the shape of one sample"),
        ("bicubic", ["--shape", "0"], "shape to be an integer of at least 1"),
        ("bicubic", ["--data", "/nowhere.npy"], "an array in an .npy file"),
        ("bicubic", ["--shape", "8,8,1", "--steps", "0"], "steps"),
        ("bicubic", ["--shape", "8,8,1", "--json", "/nowhere/a.json"], "is not a folder"),
        ("bicubic", ["--shape", "8,8,1", "--html", "/nowhere/a.html"], "is not a folder"),
        ("bicubic", ["--shape", "8,8,1", "--script", "a.sh"], "named .py"),
        ("bicubic", ["--shape", "8,8,1", "--figure", "a.png"], "--epoch or --training"),
        ("bicubic", ["--shape", "8,8,1", "--spread-runs", "1"], "--spread-runs of at least 2"),
        ("bicubic", ["--shape", "8,8,1", "--training", "-1"], "training"),
        ("bicubic", ["--data", "digits", "--data", "a.npy"], "one data set by name"),
        ("bicubic", ["--data", "digits", "--data-path", "/x"], "no path for 'digits'"),
    ],
)
def test_usage_errors_exit_with_2(pythons, name, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run({"jax": pythons["jax"]}, name, "--backends", "jax", *arguments)
    assert done.returncode == 2, done.stdout
    assert message in done.stderr
    assert done.stderr.startswith("ae-multi parity: Expected")


def test_invalid_data_is_refused(pythons):
    with pytest.raises(InputError, match="data 0 to be finite"):
        check(f"{MODELS}:bicubic", np.full((4, 8, 8, 1), np.nan), pythons=pythons)
    with pytest.raises(InputError, match="same number of samples"):
        check(f"{MODELS}:two_inputs", [np.zeros((4, 8, 8, 2)), np.zeros((5, 5))], pythons=pythons)


def test_script_without_main_guard_is_refused(pythons, tmp_path):
    script = tmp_path / "mine.py"
    script.write_text(
        "import ae_multi.parity\n"
        "def build():\n"
        "    import keras\n"
        "    return keras.Sequential([keras.layers.Dense(2)])\n"
        f"pythons = {{'jax': {pythons['jax']!r}}}\n"
        "ae_multi.parity.check(build, shape=(2,), backends=['jax'], pythons=pythons)\n"
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 1
    assert "InputError: Expected to be able to import" in done.stderr
    assert "Received: one that starts a comparison as it is imported" in done.stderr
