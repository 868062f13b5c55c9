"""Comparison of traces, without a backend."""

import copy

import numpy as np
import pytest

from ae_multi.errors import InputError
from ae_multi.parity import Report
from ae_multi.parity.bounds import (
    LEAST_SPREAD,
    SOURCES,
    UNIT_ROUNDOFF,
    largest_error,
    prediction_interval,
    scale_of,
)
from ae_multi.parity.stages import compare_traces
from ae_multi.parity.trace import Trace
from tests.reference.traces import BITWISE, COMPARED, EXACT, trace, training


def test_rounding_is_within_the_bound_on_every_stage(traces):
    stages = compare_traces(traces, trace(np.float64), [trace(np.float64)])
    assert [stage.name for stage in stages] == COMPARED
    assert all(stage.holds and stage.compared == 2 for stage in stages)


@pytest.mark.parametrize("stage", [s for s in COMPARED if s not in BITWISE])
def test_error_beyond_rounding_is_attributed_to_its_backend(traces, stage):
    traces["jax"] = trace(np.float32, {stage: 1 + 1e-4})
    stages = compare_traces(traces, trace(np.float64), [trace(np.float64)])
    assert [stage.name for stage in stages if not stage.holds] == [stage]
    (entry,) = next(stage for stage in stages if not stage.holds).divergences
    assert entry.name == "entry 1"
    assert entry.diverging == ("jax",)
    assert entry.error["jax"] == pytest.approx(1e-4, rel=1e-2)
    assert "entry 1 (Dense)" in str(entry)


@pytest.mark.parametrize("stage", BITWISE)
def test_difference_of_one_ulp_diverges_on_bitwise_stages(traces, stage):
    values = traces["jax"].stages[stage][1]["values"]
    values[3] = np.nextafter(values[3], np.float32(9))
    stages = compare_traces(traces, trace(np.float64), [trace(np.float64)])
    assert [stage.name for stage in stages if not stage.holds] == [stage]


@pytest.mark.parametrize("diverging", ["torch", "jax", "tensorflow"])
def test_majority_decides_on_bitwise_stages(traces, diverging):
    traces["tensorflow"] = trace(np.float32)
    values = traces[diverging].stages["start"][1]["values"]
    values[3] = np.nextafter(values[3], np.float32(9))
    stages = compare_traces(traces, trace(np.float64), [])
    assert stages[0].divergences[0].diverging == (diverging,)


def test_reference_decides_between_two_backends_on_bitwise_stages(traces):
    traces["torch"].stages["start"][1]["values"][3] += 1
    assert compare_traces(traces, trace(np.float64), [])[0].divergences[0].diverging == ("torch",)


def test_adam_bound_includes_its_bias_correction(traces):
    oracle = trace(np.float64)
    oracle.about["optimizer_roundoff"] = 6e-5
    # The step is as large as 1e-2 of the weight, so the weight may be off by 6e-7 of itself.
    for place, values in enumerate(oracle.values("one step")):
        oracle.stages["start"][place]["values"] = values * (1 - 1e-2)
    entry = compare_traces(traces, oracle, [])[6].entries[0]
    step = 1e-2 * 6e-5
    counted = 4 * UNIT_ROUNDOFF * np.sqrt(3 * 8 + 4)
    assert entry.bound["jax"] == pytest.approx(max(step, counted), rel=1e-3)
    oracle.about["optimizer_roundoff"] = 6e-3
    entry = compare_traces(traces, oracle, [])[6].entries[0]
    assert entry.bound["jax"] == pytest.approx(6e-5, rel=1e-3)
    assert entry.source["jax"] == "optimizer"


def test_nan_on_one_backend_diverges(traces):
    traces["jax"].stages["losses"][0]["values"][0] = np.nan
    stages = compare_traces(traces, trace(np.float64), [trace(np.float64)])
    assert [stage.name for stage in stages if not stage.holds] == ["losses"]


def test_bound_is_the_largest_of_its_amounts(traces):
    def bound(change=None, perturbed=None):
        found = {**traces, "torch": trace(np.float32, change)}
        return compare_traces(found, trace(np.float64), [trace(np.float64, perturbed, first=0)])[
            3
        ].closest

    counting = bound()
    assert counting.bound["jax"] == pytest.approx(
        4 * UNIT_ROUNDOFF * np.sqrt(4 * (counting.place + 1))
    )
    perturbation = bound(perturbed={"forward": 1 + 1e-3})
    assert perturbation.bound["jax"] == pytest.approx(8e-3, rel=1e-2)
    others = bound(change={"forward": 1 + 1e-3})
    assert others.bound["jax"] == pytest.approx(8e-3, rel=1e-2)
    assert others.bound["torch"] < 1e-5
    assert others.diverging == ("torch",)


@pytest.mark.parametrize("what", ["model", "data", "seed"])
def test_traces_of_different_runs_are_refused(traces, what):
    traces["jax"].about[what] = "other"
    with pytest.raises(InputError, match=f"the same {what}.*from jax"):
        compare_traces(traces, trace(np.float64), [])


def test_traces_with_different_entries_are_refused(traces):
    del traces["jax"].stages["gradient"][1]
    with pytest.raises(InputError, match=r"same gradient.*1 entries from jax"):
        compare_traces(traces, trace(np.float64), [])


def test_trace_without_a_stage_is_refused(traces):
    del traces["jax"].stages["losses"]
    with pytest.raises(InputError, match=r"same losses.*0 entries from jax, 2 from torch"):
        compare_traces(traces, trace(np.float64), [])


def test_trace_without_its_last_step_is_refused(traces):
    oracle = trace(np.float64)
    oracle.stages["order"].pop()
    with pytest.raises(InputError, match=r"same order.*1 entries from the float64 reference"):
        compare_traces(traces, oracle, [])


def test_report_is_json_serializable(traces):
    import json

    traces["jax"] = trace(np.float32, {"gradient": 1.01})
    stages = compare_traces(traces, trace(np.float64), [trace(np.float64)])
    report = Report("m:f", stages, {"torch": {}, "jax": {}}, "jax", [], {}, {})
    assert not report.agree
    assert report.first_divergence.stage == "gradient"
    plain = json.loads(json.dumps(report.to_json()))
    assert plain["agree"] is False
    assert plain["first_divergence"]["name"] == "entry 1"
    assert [stage["holds"] for stage in plain["rungs"]].count(False) == 1
    assert "first in gradient: entry 1" in str(report)
    stages = compare_traces({"jax": trace(np.float32)}, trace(np.float64), [])
    clean = Report("m:f", stages, {}, "jax", [], {}, {})
    assert clean.agree
    assert clean.first_divergence is None
    assert copy.deepcopy(clean).to_json()["first_divergence"] is None


def test_entries_name_the_source_of_each_bound(traces):
    perturbed = [trace(np.float64, {"gradient": 1 + 1e-3}, first=0)]
    found = {stage.name: stage for stage in compare_traces(traces, trace(np.float64), perturbed)}
    assert {entry.source["jax"] for entry in found["order"].entries} == {"bits"}
    assert {entry.source["jax"] for entry in found["forward"].entries} == {"counting"}
    assert {entry.source["jax"] for entry in found["gradient"].entries} == {"perturbation"}
    traces["torch"] = trace(np.float32, {"forward": 1 + 1e-3}, first=0)
    forward = compare_traces(traces, trace(np.float64), [])[3]
    assert {entry.source["jax"] for entry in forward.entries} == {"others"}
    known = {"bits", "counting", "summation", "cancellation", "perturbation", "others", "optimizer"}
    assert known | {"spread"} == set(SOURCES)


def test_errors_may_be_relative_to_each_exact_value():
    exact = np.array([1000.0, 1.0])
    values = exact + np.array([0.0, 1e-3])
    scale, _ = scale_of(exact)
    assert largest_error(values, exact, scale)[0] == pytest.approx(1e-6)
    assert largest_error(values, exact, scale, each=True)[0] == pytest.approx(1e-3)
    # The divisor is at least the rounding error of the scale.
    assert largest_error([1.0, 1e-9], [1.0, 0.0], 1.0, each=True)[0] == pytest.approx(1e-9 * 2**24)


def test_zero_gradient_is_compared_with_the_largest_one(traces):
    """The exact gradient of the second weight is 0 except for rounding in float64."""
    oracle = trace(np.float64)
    for found, tiny in ((oracle, 1e-17), (traces["jax"], 3e-9), (traces["torch"], -2e-9)):
        found.stages["gradient"].append({**found.stages["gradient"][1], "name": "key/bias"})
        found.stages["gradient"][2]["values"] = np.full(6, tiny)
    stage = {stage.name: stage for stage in compare_traces(traces, oracle, [])}["gradient"]
    assert stage.holds
    largest = float(np.max(np.abs(EXACT["gradient"][1])))
    assert stage.entries[2].error["jax"] == pytest.approx(3e-9 / largest, rel=1e-3)
    traces["jax"].stages["gradient"][2]["values"] = np.full(6, 1e-3)
    stage = {stage.name: stage for stage in compare_traces(traces, oracle, [])}["gradient"]
    assert stage.divergences[0].name == "key/bias"


def test_float64_stage_has_a_float64_bound(traces):
    oracle, perturbed = trace(np.float64), [trace(np.float64)]
    stage = compare_traces(traces, oracle, perturbed, exact={"torch": trace(np.float64)})[-1]
    assert stage.name == "float64"
    assert stage.holds
    assert stage.compared == 2 * len([s for s in COMPARED if s not in BITWISE])
    assert max(entry.bound["torch"] for entry in stage.entries) < 1e-14
    wrong = {"torch": trace(np.float64, {"one step": 1 + 1e-13})}
    (entry,) = compare_traces(traces, oracle, perturbed, exact=wrong)[-1].divergences
    assert entry.name == "one step: entry 1"
    assert entry.diverging == ("torch",)


def test_training_bound_is_the_prediction_interval(traces):
    ulp_perturbed = []
    for error in (0.0200, 0.0201, 0.0202, 0.0203, 0.0204):
        ulp_perturbed.append(Trace(traces["jax"].about, {"training": training(error)}))
    mean, allowed = prediction_interval([0.0200, 0.0201, 0.0202, 0.0203, 0.0204])
    assert mean == pytest.approx(0.0202)
    # t of 4 degrees of freedom at 1 - 5e-5 is 15.54, from a table; s = 1.581e-4.
    assert allowed == pytest.approx(15.54 * 1.581e-4 * np.sqrt(1.2) / mean, rel=1e-3)
    for error, holds in ((mean * (1 + 0.99 * allowed), True), (mean * (1 + 1.01 * allowed), False)):
        traces["torch"].stages["training"] = training(0.0202)
        traces["jax"].stages["training"] = training(error)
        stage = compare_traces(traces, trace(np.float64), [], ulp_perturbed=ulp_perturbed)[-1]
        assert stage.name == "training"
        assert stage.holds is holds
        if not holds:
            assert stage.divergences[0].diverging == ("jax",)
            assert stage.divergences[0].name == "test error after 3 epochs"
    assert prediction_interval([0.02, 0.02, 0.02])[1] == LEAST_SPREAD


def test_diverging_plan_is_named(traces):
    plans = {}
    for name, factor in (("jax scan", 1.0), ("jax step", 1.0), ("torch graph", 1 + 1e-3)):
        recorded = trace(np.float32, {"one step": factor})
        stages = {stage: recorded.stages[stage] for stage in ("one step", "losses", "epoch")}
        plans[name] = Trace(recorded.about, stages)
    stages = compare_traces(traces, trace(np.float64), [], plans=plans)
    assert [stage.name for stage in stages if not stage.holds] == ["plans"]
    assert {entry.diverging for entry in stages[-1].divergences} == {("torch graph",)}
    del plans["torch graph"]
    assert all(stage.holds for stage in compare_traces(traces, trace(np.float64), [], plans=plans))


def test_forward_only_backend_is_compared_in_forward_stages(traces):
    forward = trace(np.float32, {"forward": 1 + 1e-4})
    for stage in ("gradient", "one step", "losses", "epoch"):
        del forward.stages[stage]
    with pytest.raises(InputError, match="same gradient"):
        compare_traces({**traces, "numpy": forward}, trace(np.float64), [])
    forward.about["forward_only"] = True
    stages = compare_traces({**traces, "numpy": forward}, trace(np.float64), [])
    assert [stage.name for stage in stages] == COMPARED
    assert "numpy" not in stages[-1].entries[0].error
    # Backends that do not train do not affect the verdict.
    assert all(stage.holds for stage in stages)
    assert stages[3].remarks[0].remarks == ("numpy",)
    report = Report("m:f", stages, {}, "jax", [], {}, {})
    assert report.agree
    assert report.first_divergence is None
    assert report.to_json()["remarks"]["numpy"]["name"] == "entry 1"
    (line,) = report.remark_lines()
    assert "numpy differs from torch and jax, which agree: numpy is off by 1.0e-04" in line
    assert line in str(report)


def test_integers_are_compared_by_value_and_shown(traces):
    """Counters have 32 bits on one backend and 64 on another."""
    oracle = trace(np.float64)
    everyone = [oracle, *traces.values()]

    def count(values):
        for place, found in enumerate(everyone):
            for stage in ("start", "one step", "forward"):
                entries = found.stages[stage]
                entries[1:] = [{**entries[0], "name": "count", "values": np.asarray(values[place])}]

    count([np.int64(2), np.int32(2), np.int64(2)])
    assert all(stage.holds for stage in compare_traces(traces, oracle, []))
    count([np.bool_(True), np.bool_(True), np.bool_(True)])
    assert all(stage.holds for stage in compare_traces(traces, oracle, []))
    count([[2, 16777216], np.array([2, 16777217], np.int32), [2, 16777216]])
    stages = [stage for stage in compare_traces(traces, oracle, []) if not stage.holds]
    assert [stage.name for stage in stages] == ["start", "forward", "one step"]
    for stage in stages:
        (entry,) = stage.divergences
        assert entry.diverging == ("torch",)
        assert str(entry).endswith("torch has 16777217 where 16777216 is right")


def test_different_dtype_is_reported(traces):
    found = traces["torch"].stages["start"][1]
    values = np.zeros(6, np.float32)
    traces["jax"].stages["start"][1]["values"] = values
    found["values"] = values.astype(np.float16)
    oracle = trace(np.float64)
    oracle.stages["start"][1]["values"] = values
    traces["tensorflow"] = copy.deepcopy(traces["jax"])
    entry = compare_traces(traces, oracle, [])[0].divergences[0]
    assert "torch has numbers of type float16 where float32 is right" in str(entry)


def test_values_are_printed_instead_of_a_huge_relative_error(traces):
    traces["jax"] = trace(np.float32, {"gradient": 1e6})
    (entry,) = next(
        r for r in compare_traces(traces, trace(np.float64), []) if not r.holds
    ).divergences
    assert entry.error["jax"] > 1e5
    place = np.argmax(abs(EXACT["gradient"][1]))
    value = EXACT["gradient"][1][place]
    assert "of the largest value" not in str(entry)
    assert str(entry).endswith(f"where {value:.9g} is right")


def test_zero_value_is_compared_with_its_terms(traces):
    """The value is a moving mean of normalized values, whose terms are up to 0.02."""
    oracle = trace(np.float64)
    for found, tiny in ((oracle, 1e-18), (traces["jax"], 3e-9), (traces["torch"], -2e-9)):
        for stage in ("start", "one step"):
            values = np.full(6, 0.0 if stage == "start" else tiny)
            found.stages[stage].append({**found.stages[stage][1], "name": "moving_mean"})
            found.stages[stage][2]["values"] = values.astype(found.values("start")[0].dtype)
    stage = {r.name: r for r in compare_traces(traces, oracle, [])}["one step"]
    assert stage.entries[2].error["jax"] > 1e9  # the size of the terms is unknown
    oracle.stages["one step"][2]["scale"] = 0.02
    stage = {r.name: r for r in compare_traces(traces, oracle, [])}["one step"]
    assert stage.holds
    assert stage.entries[2].measure == "size of its terms"
    assert stage.entries[2].error["jax"] == pytest.approx(3e-9 / 0.02)
    traces["jax"].stages["one step"][2]["values"] = np.full(6, 1e-3)
    stage = {r.name: r for r in compare_traces(traces, oracle, [])}["one step"]
    assert stage.divergences[0].diverging == ("jax",)
    assert "jax is off by 5.0e-02 of the size of its terms" in str(stage.divergences[0])


def test_bound_includes_cancellation(traces):
    oracle = trace(np.float64)
    largest = float(np.max(np.abs(EXACT["forward"][1])))
    oracle.stages["forward"][1]["scale"] = 1e3 * largest
    entry = compare_traces(traces, oracle, [])[3].entries[1]
    assert entry.bound["jax"] == pytest.approx(4e3 * UNIT_ROUNDOFF)
    assert entry.source["jax"] == "cancellation"


def test_bound_includes_plain_summation_in_later_stages(traces):
    oracle = trace(np.float64)
    largest = float(np.max(np.abs(EXACT["training forward"][0])))
    oracle.stages["training forward"][0]["summation"] = 1e-4 * largest
    stages = {stage.name: stage for stage in compare_traces(traces, oracle, [])}
    for name in ("training forward", "gradient", "losses"):
        for entry in stages[name].entries:
            assert entry.bound["jax"] == pytest.approx(2e-4)
            assert entry.source["jax"] == "summation"
    assert stages["forward"].entries[0].bound["jax"] < 1e-6


def test_unchanged_weight_is_compared_with_the_largest_step(traces):
    oracle = trace(np.float64)
    for found, tiny in ((oracle, 1e-18), (traces["jax"], 3e-9), (traces["torch"], -2e-9)):
        for stage, value in (("start", 0.0), ("gradient", 1e-18), ("one step", tiny)):
            values = np.full(6, value, found.values("start")[0].dtype)
            entry = {**found.stages[stage][1], "name": "beta", "values": values}
            found.stages[stage].append(entry)
    stage = {r.name: r for r in compare_traces(traces, oracle, [])}["one step"]
    assert stage.entries[2].measure == "largest step"
    assert stage.entries[2].error["jax"] < 1e-8
