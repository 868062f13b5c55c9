"""The GPU benchmark: its schedule, and a quick run on the CPU."""

import importlib
import inspect
import json
import subprocess

import pytest

from ae_multi.cli import _parser
from ae_multi.errors import WorkerError
from benchmarks import gpu


@pytest.fixture
def measured(monkeypatch, pythons):
    """Replace the measuring functions, of which "conv" on "torch" fails; return their calls."""
    calls = []

    def run(python, backend, module, job, device, timeout):
        calls.append((module, job["model"], backend, timeout))
        if (backend, job["model"]) == ("torch", "conv"):
            raise WorkerError("out of memory")
        return {"device": "a GPU"}

    def parity(name, backends, *arguments):
        calls.append(("parity", name, ",".join(backends), arguments[-1]))
        if name == "SimpleAutoencoder":
            raise subprocess.TimeoutExpired(name, arguments[-1])
        return {"agree": True}

    monkeypatch.setattr(gpu, "run", run)
    monkeypatch.setattr(gpu, "_parity", parity)
    return calls


def options(pythons, folder, *others):
    interpreters = [f"--python={name}={pythons[name]}" for name in ("torch", "jax")]
    return [*interpreters, "--backends=torch,jax", f"--out={folder}", *others]


def test_each_part_ends_within_its_fraction_of_the_time(measured, pythons, tmp_path):
    assert gpu.main(options(pythons, tmp_path, "--seconds=100")) == 1  # one failed
    models = ("deep", "simple", "conv")
    assert [call[:3] for call in measured] == [
        *(("parity", gpu.MODELS[name], "torch,jax") for name in models),
        *(("steps", name, backend) for name in models for backend in ("torch", "jax")),
        *(("throughput", name, backend) for name in models for backend in ("torch", "jax")),
    ]
    for part, end in gpu.PARTS.items():
        remaining = [call[3] for call in measured if call[0] == part]
        assert all(100 * end - 20 < seconds <= 100 * end for seconds in remaining)
    written = json.loads((tmp_path / "gpu.json").read_text())
    assert len(written["results"]) == 3 - 1 + 6 - 1 + 6 - 1
    assert [(skipped["part"], skipped["why"]) for skipped in written["left_out"]] == [
        ("parity", "no time left"),
        ("steps", "out of memory"),
        ("throughput", "out of memory"),
    ]


def test_parts_beyond_the_time_limit_are_skipped(measured, pythons, tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "PARTS", {"steps": 0.0})
    assert gpu.main(options(pythons, tmp_path, "--parts=steps", "--models=deep")) == 0
    assert measured == []
    written = json.loads((tmp_path / "gpu.json").read_text())
    assert [skipped["why"] for skipped in written["left_out"]] == ["no time left"] * 2


@pytest.mark.parametrize("sizes", [gpu._QUICK, gpu._FULL], ids=["quick", "full"])
@pytest.mark.parametrize("part", ["steps", "throughput"])
def test_sizes_match_the_arguments_of_the_benchmarks(part, sizes):
    source = importlib.import_module(f"benchmarks.{part}")
    names = {*sizes[part], "model", *(["batch_size"] if part == "throughput" else [])}
    assert names == set(inspect.signature(source.measure).parameters)


def test_parity_command_can_be_parsed(monkeypatch, pythons, tmp_path):
    def run(command, **kwargs):
        assert kwargs["timeout"] > 0
        parsed = _parser("parity").parse_args(command[3:])
        assert parsed.build == ["ae_multi.models:DeepAutoencoder"]
        assert parsed.backends == ("torch", "jax")
        assert dict(parsed.python) == {name: pythons[name] for name in parsed.backends}
        parsed.json.write_text('{"agree": false}')
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(subprocess, "run", run)
    for others in ([], ["--quick", "--device=cpu"]):
        arguments = options(pythons, tmp_path, "--parts=parity", "--models=deep", *others)
        assert gpu.main(arguments) == 0
        (found,) = json.loads((tmp_path / "gpu.json").read_text())["results"]
        assert found["agree"] is False


@pytest.mark.across
@pytest.mark.slow
def test_quick_run_on_the_cpu_measures_each_plan(pythons, tmp_path):
    arguments = [f"--python=jax={pythons['jax']}", "--backends=jax", f"--out={tmp_path}"]
    arguments += ["--quick", "--device=cpu", "--models=simple", "--parts=steps", "--seconds=1000"]
    assert gpu.main(arguments) == 0
    (steps,) = json.loads((tmp_path / "gpu.json").read_text())["results"]
    assert steps["device"].startswith("cpu")
    assert steps["versions"]["jax"]
    assert all(found["microseconds"] > 0 for found in steps["plans"].values())
