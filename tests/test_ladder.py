"""Traces, the ladder's arithmetic, and references to build functions; no backend is needed."""

import copy

import numpy as np
import pytest

from ae_multi.errors import InputError
from ae_multi.parity import subject
from ae_multi.parity.check import Report
from ae_multi.parity.ladder import RUNGS, UNIT_ROUNDOFF, climb
from ae_multi.parity.trace import Trace

RNG = np.random.default_rng(0)
EXACT = {stage: RNG.normal(size=(2, 6)) for stage in RUNGS}


def trace(dtype, change=None, first=1):
    """A trace of two entries a stage, rounded to ``dtype``.

    ``change`` maps a stage to a factor for its entries from the place ``first`` on.
    """
    stages = {}
    for stage, values in EXACT.items():
        factor = (change or {}).get(stage, 1.0)
        stages[stage] = [
            {
                "name": f"entry {place}",
                "layer": "Dense",
                "terms": 4,
                "values": (row * (factor if place >= first else 1.0)).astype(dtype),
            }
            for place, row in enumerate(values)
        ]
    return Trace({"model": "m", "data": "d", "seed": 0, "not_comparable": []}, stages)


@pytest.fixture
def traces():
    return {"torch": trace(np.float32), "jax": trace(np.float32)}


def test_rounding_holds_on_every_rung(traces):
    rungs = climb(traces, trace(np.float64), [trace(np.float64)])
    assert [rung.name for rung in rungs] == list(RUNGS)
    assert all(rung.holds and rung.compared == 2 for rung in rungs)


@pytest.mark.parametrize("stage", [s for s in RUNGS if s not in ("start", "order")])
def test_what_is_beyond_rounding_is_found_and_blamed(traces, stage):
    traces["jax"] = trace(np.float32, {stage: 1 + 1e-4})
    rungs = climb(traces, trace(np.float64), [trace(np.float64)])
    assert [rung.name for rung in rungs if not rung.holds] == [stage]
    (entry,) = next(rung for rung in rungs if not rung.holds).divergences
    assert entry.name == "entry 1"
    assert entry.guilty == ("jax",)
    assert entry.error["jax"] == pytest.approx(1e-4, rel=1e-2)
    assert "entry 1 (Dense)" in str(entry)


@pytest.mark.parametrize("stage", ["start", "order"])
def test_where_bits_count_one_is_enough(traces, stage):
    values = traces["jax"].stages[stage][1]["values"]
    values[3] = np.nextafter(values[3], np.float32(9))
    rungs = climb(traces, trace(np.float64), [trace(np.float64)])
    assert [rung.name for rung in rungs if not rung.holds] == [stage]


def test_a_nan_on_one_backend_parts(traces):
    traces["jax"].stages["losses"][0]["values"][0] = np.nan
    rungs = climb(traces, trace(np.float64), [trace(np.float64)])
    assert not rungs[-1].holds


def test_the_bound_is_the_largest_of_its_three_sources(traces):
    def bound(change=None, shaken=None):
        found = {**traces, "torch": trace(np.float32, change)}
        return climb(found, trace(np.float64), [trace(np.float64, shaken, first=0)])[2].closest

    reasoned = bound()
    assert reasoned.bound["jax"] == pytest.approx(
        4 * UNIT_ROUNDOFF * np.sqrt(4 * (reasoned.place + 1))
    )
    conditioned = bound(shaken={"forward": 1 + 1e-3})
    assert conditioned.bound["jax"] == pytest.approx(8e-3, rel=1e-2)
    measured = bound(change={"forward": 1 + 1e-3})
    assert measured.bound["jax"] == pytest.approx(8e-3, rel=1e-2)
    assert measured.bound["torch"] < 1e-5
    assert measured.guilty == ("torch",)


@pytest.mark.parametrize("what", ["model", "data", "seed"])
def test_traces_of_different_things_are_refused(traces, what):
    traces["jax"].about[what] = "other"
    with pytest.raises(InputError, match=f"one {what}.*from jax"):
        climb(traces, trace(np.float64), [])


def test_traces_that_hold_different_things_are_refused(traces):
    del traces["jax"].stages["gradient"][1]
    with pytest.raises(InputError, match=r"same gradient.*1 entries from jax"):
        climb(traces, trace(np.float64), [])


def test_a_trace_that_lacks_a_rung_is_refused(traces):
    del traces["jax"].stages["losses"]
    with pytest.raises(InputError, match=r"same losses.*0 entries from jax, 2 from torch"):
        climb(traces, trace(np.float64), [])


def test_a_trace_cut_off_before_its_last_step_is_refused(traces):
    whole = trace(np.float64)
    whole.stages["order"].pop()
    with pytest.raises(InputError, match=r"same order.*1 entries from the oracle"):
        climb(traces, whole, [])


def test_a_trace_without_one_of_its_arrays_is_refused(traces, tmp_path):
    path = tmp_path / "trace.npz"
    traces["jax"].save(path)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    del arrays["a5"]
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=r"whole trace.*KeyError"):
        Trace.load(path)


def test_a_trace_is_saved_and_loaded(traces, tmp_path):
    path = tmp_path / "trace.npz"
    traces["jax"].save(path)
    again = Trace.load(path)
    assert again.about == traces["jax"].about
    for stage, entries in traces["jax"].stages.items():
        for before, after in zip(entries, again.stages[stage], strict=True):
            np.testing.assert_array_equal(before.pop("values"), after.pop("values"))
            assert before == after


def test_a_damaged_trace_is_refused(traces, tmp_path):
    path = tmp_path / "trace.npz"
    traces["jax"].save(path)
    whole = path.read_bytes()
    for data in (b"", b"nonsense", whole[: len(whole) // 2], whole[:-30]):
        path.write_bytes(data)
        with pytest.raises(InputError, match="whole trace"):
            Trace.load(path)
    np.savez(path, a=np.zeros(3))
    with pytest.raises(InputError, match="whole trace"):
        Trace.load(path)


def test_a_trace_of_another_format_is_refused(traces, tmp_path, monkeypatch):
    path = tmp_path / "trace.npz"
    monkeypatch.setattr("ae_multi.parity.trace.FORMAT", 99)
    traces["jax"].save(path)
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"format 1\. Received: .* of format 99"):
        Trace.load(path)


def test_a_report_is_plain_values(traces):
    import json

    traces["jax"] = trace(np.float32, {"gradient": 1.01})
    rungs = climb(traces, trace(np.float64), [trace(np.float64)])
    report = Report(rungs, {"torch": {}, "jax": {}}, "jax", [], ())
    assert not report.agree
    assert report.first_divergence.rung == "gradient"
    plain = json.loads(json.dumps(report.to_json()))
    assert plain["agree"] is False
    assert plain["first_divergence"]["name"] == "entry 1"
    assert [rung["holds"] for rung in plain["rungs"]].count(False) == 1
    assert "first in gradient: entry 1" in str(report)
    clean = Report(climb({"jax": trace(np.float32)}, trace(np.float64), []), {}, "jax", [], ())
    assert clean.agree
    assert clean.first_divergence is None
    assert copy.deepcopy(clean).to_json()["first_divergence"] is None


def test_references_find_their_functions(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("def make():\n    return 5\n")
    assert subject.find(f"{tmp_path}/mine.py:make")() == 5
    monkeypatch.syspath_prepend(tmp_path)
    assert subject.find("mine:make")() == 5
    assert subject.reference_to(np.linalg.norm).endswith(":norm")
    assert subject.reference_to("a:b") == "a:b"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nothing", "module:function or file.py:function"),
        (":name", "module:function"),
        ("no_such_module:make", "import no_such_module. Received: ModuleNotFoundError"),
        ("/nowhere/model.py:make", "import /nowhere/model.py. Received: FileNotFoundError"),
        ("math:no_such_name", "function no_such_name in math"),
        ("math:pi", "function pi in math"),
    ],
)
def test_references_that_lead_nowhere_are_refused(reference, message):
    with pytest.raises(InputError, match=message):
        subject.find(reference)


def test_functions_that_no_other_process_can_import_are_refused():
    def inner():
        pass

    for function in (lambda: None, inner, 7):
        with pytest.raises(InputError, match="another process can import"):
            subject.reference_to(function)
