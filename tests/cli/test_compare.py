"""`ae-multi compare` with one installed backend."""

import json

import pytest

from tests.reference.command import run_command


@pytest.mark.slow
@pytest.mark.backend
@pytest.mark.once
def test_compare_reports_a_diverged_training(backend):
    process = run_command(
        "compare",
        "--data",
        "digits",
        "--model",
        "deep",
        "--epochs",
        2,
        "--learning-rate",
        1e38,
        "--backends",
        backend,
        "--spread-runs",
        2,
    )
    assert "the training diverged" in process.stdout, process.stderr


@pytest.mark.backend
@pytest.mark.once
def test_compare_reports_the_results_of_one_installed_backend(backend, tmp_path):
    out, figure, page = tmp_path / "out.json", tmp_path / "out.png", tmp_path / "out.html"
    process = run_command(
        *("compare", "--data", "digits", "--epochs", 2, "--spread-runs", 2),
        *("--model", "simple", "--json", out, "--figure", figure, "--html", page),
    )
    assert process.returncode == 0, process.stderr
    assert "one backend" in process.stdout
    assert process.stdout.count("which is not installed") == 2
    written = json.loads(out.read_text())
    assert [result["backend"] for result in written["results"]] == [backend]
    assert len(written["results"][0]["perturbed_test_mse"]) == 2
    plan = written["results"][0]["plan"]
    assert plan in ("graph", "inductor", "eager")
    assert f" {plan} " in process.stdout
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert f'data-test-mse="{written["results"][0]["test_mse"]!r}"' in page.read_text()
