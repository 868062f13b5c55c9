"""Sampling of the large arrays of traces."""

import numpy as np
import pytest

from ae_multi.parity.sampling import MAX_UNSAMPLED_SIZE, is_sampled, positions, reduce_trace
from ae_multi.parity.stages import compare_traces
from ae_multi.parity.trace import Trace

SIZE = 50 * MAX_UNSAMPLED_SIZE
ROUNDED = ("forward", "gradient", "one step", "losses")
RNG = np.random.default_rng(3)
EXACT = {
    s: RNG.normal(size=(2, 50, MAX_UNSAMPLED_SIZE)) for s in ("start", "order", "noise", *ROUNDED)
}
EXACT["training forward"] = EXACT["forward"]
EXACT["order"] = RNG.integers(0, 99, EXACT["order"].shape)


def trace(dtype, change=None):
    """Return a trace of arrays of `SIZE` values.

    ``change`` maps a stage to a function that changes the values of its second entry in place.
    """
    stages = {}
    for stage, arrays in EXACT.items():
        kind = arrays.dtype if arrays.dtype.kind == "i" else dtype
        entry = {"layer": "Dense", "terms": 4}
        values = [array.astype(kind) for array in arrays]
        if change and stage in change:
            change[stage](values[1])
        stages[stage] = [
            {**entry, "name": f"{stage} {n}", "values": v} for n, v in enumerate(values)
        ]
    return Trace({"model": "m", "data": "d", "seed": 7, "not_comparable": []}, stages)


def compared(changed, perturbed=()):
    """Compare reduced traces. ``changed`` maps a backend to the ``change`` of its `trace`."""
    traces = {name: reduce_trace(trace(np.float32, c)) for name, c in changed.items()}
    return compare_traces(traces, reduce_trace(trace(np.float64), perturbed))


def unsampled_position():
    """Return a position that is not sampled."""
    return int(np.setdiff1d(np.arange(SIZE), positions(7, SIZE))[100])


def set_at(place, value):
    def change(array):
        array.flat[place] = value

    return change


def test_reduced_traces_agree():
    stages = compared({"torch": None, "jax": None})
    assert {stage.name for stage in stages} == set(EXACT)
    assert all(stage.holds for stage in stages)
    assert stages[0].entries[0].shape == (50, MAX_UNSAMPLED_SIZE)


def test_only_large_arrays_are_sampled():
    unsampled = trace(np.float32)
    values = np.arange(MAX_UNSAMPLED_SIZE, dtype=np.float32)
    unsampled.stages["losses"][0]["values"] = values
    losses = reduce_trace(unsampled).stages["losses"]
    np.testing.assert_array_equal(losses[0]["values"], np.arange(MAX_UNSAMPLED_SIZE))
    assert [is_sampled(entry) for entry in losses] == [False, True]
    assert losses[1]["values"].size <= MAX_UNSAMPLED_SIZE + 2 < SIZE / 40
    assert losses[1]["values"].dtype == np.float32


def test_positions_depend_on_seed_and_size_only():
    chosen = positions(7, SIZE)
    np.testing.assert_array_equal(chosen, positions(7, SIZE))
    assert not np.array_equal(chosen, positions(8, SIZE))
    assert chosen.min() >= 0
    assert chosen.max() < SIZE
    assert np.all(np.diff(chosen) > 0)
    assert len(chosen) > 0.95 * MAX_UNSAMPLED_SIZE
    # Spread evenly: each fifth of the array has about a fifth of the positions.
    counts = np.histogram(chosen, 5, (0, SIZE))[0]
    assert counts.min() > 150


@pytest.mark.parametrize("stage", ["start", "order", "noise"])
def test_change_at_an_unsampled_position_diverges_on_bitwise_stages(stage):
    def change(array):
        place = unsampled_position()
        array.flat[place] = np.nextafter(array.flat[place], array.dtype.type(9)) + (
            stage == "order"
        )

    stages = compared({"torch": None, "tensorflow": None, "jax": {stage: change}})
    assert [s.name for s in stages if not s.holds] == [stage]
    (entry,) = next(s for s in stages if not s.holds).divergences
    assert (entry.name, entry.diverging) == (f"{stage} 1", ("jax",))
    assert "jax has SHA-256" in str(entry)


@pytest.mark.parametrize("stage", ROUNDED)
def test_error_at_sampled_positions_diverges(stage):
    def change(array):
        array *= np.float32(1 + 1e-4)

    stages = compared({"torch": None, "jax": {stage: change}})
    found = [s for s in stages if not s.holds]
    assert found[0].name == stage
    assert found[0].divergences[0].diverging == ("jax",)


@pytest.mark.parametrize("value", [np.nan, np.inf, 50.0])
def test_outlier_at_an_unsampled_position_diverges(value):
    stages = compared({"torch": None, "jax": {"forward": set_at(unsampled_position(), value)}})
    assert [s.name for s in stages if not s.holds] == ["forward"]


def test_small_errors_at_all_unsampled_positions_diverge():
    def change(array):
        outside = np.setdiff1d(np.arange(SIZE), positions(7, SIZE))
        array.flat[outside] += np.float32(0.01)

    stages = compared({"torch": None, "jax": {"forward": change}})
    assert [s.name for s in stages if not s.holds] == ["forward"]


def test_bounds_equal_those_of_unsampled_arrays():
    perturbed = [trace(np.float64, {"gradient": set_at(unsampled_position(), 0.5)})]
    traces = {name: trace(np.float32) for name in ("torch", "jax")}
    exact = trace(np.float64)
    unsampled = {s.name: s for s in compare_traces(traces, exact, perturbed)}
    moved = abs(0.5 - exact.values("gradient")[1].flat[unsampled_position()])
    for stage in compared({"torch": None, "jax": None}, perturbed):
        for entry, expected in zip(stage.entries, unsampled[stage.name].entries, strict=True):
            if set(expected.source.values()) <= {"perturbation", "counting", "bits"}:
                assert entry.bound == pytest.approx(expected.bound, rel=1e-12)
            assert entry.scale == pytest.approx(expected.scale, rel=1e-7)
            assert entry.error["jax"] <= expected.error["jax"] * (1 + 1e-9)
        if stage.name == "gradient":
            largest = np.max(np.abs(exact.values("gradient")[1]))
            assert stage.entries[1].bound["jax"] == pytest.approx(8 * moved / largest)


def test_step_of_a_weight_is_that_of_the_unsampled_array():
    exact = trace(np.float64)
    exact.about["optimizer_roundoff"] = 1e-3
    step = np.max(np.abs(exact.values("one step")[0] - exact.values("start")[0]))
    traces = {name: reduce_trace(trace(np.float32)) for name in ("torch", "jax")}
    stages = {s.name: s for s in compare_traces(traces, reduce_trace(exact))}
    largest = np.max(np.abs(exact.values("one step")[0]))
    entry = stages["one step"].entries[0]
    assert entry.bound["jax"] == pytest.approx(1e-3 * step / largest)


def test_integers_of_different_widths_agree():
    def narrow(recorded):
        for entry in recorded.stages["order"]:
            entry["values"] = entry["values"].astype(np.int32)
        return reduce_trace(recorded)

    traces = {"torch": narrow(trace(np.float32)), "jax": reduce_trace(trace(np.float32))}
    assert all(s.holds for s in compare_traces(traces, reduce_trace(trace(np.float64))))
