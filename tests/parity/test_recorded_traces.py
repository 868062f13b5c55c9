"""Comparison of recorded traces, without a backend."""

import json
import re

import numpy as np
import pytest

from ae_multi.cli import main
from ae_multi.errors import BackendError, InputError
from ae_multi.parity import compare, record
from tests.reference.traces import COMPARED, recorded


def saved(tmp_path, **files):
    """Write a trace file for each keyword and return the paths."""
    for name, file in files.items():
        file.save(tmp_path / f"{name}.trace")
    return [str(tmp_path / f"{name}.trace") for name in files]


def test_traces_of_one_model_agree():
    report = compare(recorded("torch"), recorded("jax"), recorded("torch", reference=False))
    assert report.agree
    assert [stage.name for stage in report.stages] == COMPARED
    assert list(report.backends) == ["trace 1", "trace 2", "trace 3"]
    assert (report.oracle, report.model, report.sampled) == ("trace 1", "m:net", 0)


def test_traces_are_named_after_their_files(tmp_path):
    paths = saved(tmp_path, old=recorded("torch"), new=recorded("torch", {"gradient": 1 + 1e-4}))
    report = compare(*paths)
    first = report.first_divergence
    assert (first.stage, first.name, first.diverging) == ("gradient", "entry 1", ("new",))
    assert report.backends["new"]["backend"] == "torch"
    assert list(compare(*paths, names=("a", "b")).backends) == ["a", "b"]


def test_traces_of_files_with_equal_names_are_named_by_their_paths(tmp_path):
    for folder in "ab":
        (tmp_path / folder).mkdir()
        recorded("jax").save(tmp_path / folder / "one.trace")
    paths = [str(tmp_path / folder / "one.trace") for folder in "ab"]
    assert list(compare(*paths).backends) == paths
    with pytest.raises(InputError, match="different name for each of 2"):
        compare(paths[0], paths[0])


def test_file_named_like_a_forward_only_backend_counts_for_the_verdict(tmp_path):
    altered = recorded("jax", {"forward": 1.1})
    paths = saved(tmp_path, torch=recorded("torch"), numpy=altered)
    assert compare(*paths).first_divergence.diverging == (paths[1],)


def test_reference_is_that_of_the_first_trace_that_has_one():
    report = compare(recorded("torch", reference=False), recorded("jax"))
    assert report.oracle == "trace 2"
    with pytest.raises(InputError, match="float64 reference in one of the traces"):
        compare(recorded("torch", reference=False), recorded("jax", reference=False))


def test_fault_in_the_trace_with_the_reference_is_attributed_to_it():
    """Its float64 reference has the same fault, so both other traces exceed their bounds."""
    faulty = recorded("jax", {"forward": 1.1})
    for entry, exact in zip(
        faulty.trace.stages["forward"], faulty.reference.stages["forward"], strict=True
    ):
        exact["values"] = entry["values"].astype(np.float64)
    report = compare(faulty, recorded("torch"), recorded("tensorflow"), names=("a", "b", "c"))
    assert report.first_divergence.diverging == ("a",)


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"model": "other"}, "traces of the same model. Received: m:net with layers m"),
        ({"data": "0" * 64}, "the same data. Received: d… in trace 1, 000000000000… in trace 2"),
        ({"seed": 4}, "traces of the same seed. Received: 0 in trace 1, 4 in trace 2"),
        ({"steps": 9}, "the same number of steps. Received: 2 in trace 1, 9 in trace 2"),
        ({"batch_size": 8}, "the same batch size. Received: 32 in trace 1, 8 in trace 2"),
        (
            {"rate": 0.5},
            "the same learning rate of the epoch. Received: none in trace 1, 0.5 in trace 2",
        ),
        (
            {"weights": "abc"},
            "the same file of weights. Received: none in trace 1, abc… in trace 2",
        ),
    ],
)
def test_traces_of_different_runs_are_refused(about, message):
    with pytest.raises(InputError, match=re.escape(message)):
        compare(recorded("torch"), recorded("jax", **about))


def test_traces_with_and_without_an_epoch_are_refused():
    without = recorded("jax", reference=False)
    del without.trace.stages["epoch"]
    with pytest.raises(InputError, match=r"choice of --epoch\. Received: an epoch in .*, none in"):
        compare(recorded("torch"), without)


def test_one_trace_is_refused():
    with pytest.raises(InputError, match=r"two or more traces\. Received: 1"):
        compare(recorded("torch"))


def test_command_prints_the_table_and_writes_json(tmp_path, capsys):
    old, new, bad = saved(
        tmp_path,
        old=recorded("torch"),
        new=recorded("torch"),
        bad=recorded("jax", {"losses": 1.1}),
    )
    out = tmp_path / "report.json"
    assert main(["parity", "compare", old, new, "--json", str(out)]) == 0
    assert "The backends agree." in capsys.readouterr().out
    assert json.loads(out.read_text())["agree"] is True
    assert main(["parity", "compare", old, new, bad, "--json", str(out)]) == 1
    shown = capsys.readouterr().out
    assert "DIFFER" in shown
    assert "Backends differ: bad is alone; old and new agree." in shown
    assert "First divergence: losses, entry 1 (Dense), shape (6,)" in shown
    (model,) = json.loads(out.read_text())["models"]
    assert model["first_divergence"]["guilty"] == ["bad"]


def test_command_prints_the_number_of_sampled_arrays(tmp_path, capsys):
    files = {}
    for name in ("old", "new"):
        file = recorded("torch")
        for part in (file.trace, file.reference):
            part.stages["forward"][0]["sha256"] = "0" * 64
            part.stages["forward"][0]["shape"] = [600, 10]
        files[name] = file
    assert main(["parity", "compare", *saved(tmp_path, **files)]) == 0
    shown = capsys.readouterr().out
    assert "1 arrays of more than 1,024 values were compared at up to 1,024 positions" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "/nowhere.trace", "/there.trace"], "parity compare: Expected"),
        (["compare", "one"], "two or more traces"),
        (["record", "m:f", "--out", "/nowhere/a.trace", "--shape", "3"], "is not a folder"),
        (["record", "m:f", "--out", "a.trace"], "--shape N,N,N (the shape of one sample"),
        (
            ["record", "m:f", "--out", "a.trace", "--shape", "3", "--backends", "jax,torch"],
            "one backend, whose trace is recorded. Received: jax, torch",
        ),
        (
            [
                "record",
                "m:f",
                "--out",
                "a.trace",
                "--shape=3",
                "--backends=jax",
                "--python=torch=x",
            ],
            "Received: jax, torch",
        ),
        (
            ["record", "m:f", "--out", "a.trace", "--shape=3", "--backends=numpy"],
            "a backend that trains",
        ),
        (["record", "m:f", "--out", "a.trace", "--shape=3", "--steps=0"], "steps"),
    ],
)
def test_usage_errors_exit_with_2(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["parity", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error.replace("\n", " ")
    assert error.startswith(f"ae-multi parity {arguments[0]}: Expected")
    assert not (tmp_path / "a.trace").exists()


def test_recording_on_an_absent_backend_is_refused(monkeypatch):
    monkeypatch.setattr("ae_multi.backend_selection.installed", lambda name: False)
    with pytest.raises(BackendError, match="which the recording requires, to be installed"):
        record("m:f", shape=3, backend="torch")
