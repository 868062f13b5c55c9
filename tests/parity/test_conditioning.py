"""Distances of perturbed references from the reference: smooth, or by jumps."""

import numpy as np
import pytest

from ae_multi.parity.bounds import CONDITIONED
from ae_multi.parity.conditioning import (
    ALLOWED_STEPS,
    LARGE_PROBE,
    SMALL_PROBE,
    PerturbedReference,
    distance_per_rounding,
    gradients_jump,
    is_jump,
)
from ae_multi.parity.rounding_comparison import gradient_bounds
from ae_multi.parity.sampling import reduce_trace
from ae_multi.parity.stages import compare_traces
from tests.reference.traces import EXACT, trace

SIZE = 100
SMOOTH = [(1, 2e-7), (CONDITIONED, 2.4e-6), (SMALL_PROBE, 1.6e-5), (LARGE_PROBE, 9e-4)]
JUMP = [(1, 2e-7), (CONDITIONED, 1.2e-6), (SMALL_PROBE, 3e-3), (LARGE_PROBE, 1e-2)]


def test_smooth_distances_are_divided_by_the_perturbation():
    assert not is_jump(SMOOTH, SIZE)
    assert distance_per_rounding(SMOOTH, SIZE) == pytest.approx(2.4e-6 / CONDITIONED)
    assert distance_per_rounding([], SIZE) == 0.0


def test_the_bound_of_a_jump_is_twice_the_distance_of_the_large_probe():
    assert is_jump(JUMP, SIZE)
    assert CONDITIONED * distance_per_rounding(JUMP, SIZE) == pytest.approx(2 * 1e-2)
    # The distances of runs other than the probes are not scaled.
    assert distance_per_rounding(SMOOTH[:2], SIZE, jumping=True) == 2.4e-6


def test_jump_of_the_large_probe_alone_does_not_count():
    assert not is_jump([*SMOOTH[:3], (LARGE_PROBE, 0.5)], SIZE)


def test_small_array_has_no_jump():
    assert not is_jump(JUMP, 8)
    assert distance_per_rounding(JUMP, 8) < 1e-3


def test_nothing_jumps_without_small_perturbations():
    assert not is_jump(JUMP[2:], SIZE)
    assert not is_jump([], SIZE)


def test_relu_units_with_inputs_near_zero_jump():
    """Rounding may switch the derivative of one of 100,000 units; the large probe switches 30."""
    rng = np.random.default_rng(0)
    inputs, terms = rng.normal(size=10**5), rng.normal(size=10**5)
    inputs[0] = 3 * 2.0**-24  # a backend that rounds differently may switch this one

    def gradient(shift):
        noise = rng.normal(size=inputs.size) * shift * 2.0**-24
        smooth = 1 + noise.mean()
        return np.array(
            [
                np.sum(np.where(inputs + noise > 0, part, 0.0)) * smooth
                for part in (terms, -terms, terms**2, terms**3)
            ]
        )

    exact = np.array(
        [np.sum(np.where(inputs > 0, part, 0.0)) for part in (terms, -terms, terms**2, terms**3)]
    )
    scale = np.max(np.abs(exact))
    factors = (1, CONDITIONED, SMALL_PROBE, LARGE_PROBE)
    moves = [(f, np.max(np.abs(gradient(f) - exact)) / scale) for f in factors]
    assert is_jump(moves, SIZE)
    switched = np.max(np.abs([terms[0], terms[0] ** 2, terms[0] ** 3])) / scale
    assert CONDITIONED * distance_per_rounding(moves, SIZE) > switched


def perturbed(factor, distance, stages):
    """Return the reference with the values of ``stages`` scaled by 1 + ``distance``."""
    run = trace(np.float64, dict.fromkeys(stages, 1 + distance), first=0)
    run.about["perturbation"] = factor
    return run


@pytest.fixture
def small_arrays_show_jumps(monkeypatch):
    """Detect jumps in arrays of six values, as the reference traces have."""
    monkeypatch.setattr("ae_multi.parity.conditioning._LEAST_VALUES", 6)


def losses(distances, error):
    """Return the stage "losses" of a backend with an error, with perturbed references."""
    runs = [perturbed(factor, d, ("gradient", "losses")) for factor, d in distances]
    values = trace(np.float32, {"losses": 1 + error}, first=0)
    stages = compare_traces({"torch": values}, trace(np.float64), runs)
    return next(stage for stage in stages if stage.name == "losses")


@pytest.mark.usefixtures("small_arrays_show_jumps")
def test_jumping_gradients_bound_the_losses():
    assert not losses(SMOOTH, 5e-4).holds
    assert losses(JUMP, 5e-4).holds
    assert not losses(JUMP, 5e-2).holds


@pytest.mark.usefixtures("small_arrays_show_jumps")
def test_reduced_trace_contains_the_distance_of_a_jump():
    oracle = trace(np.float64)
    runs = [perturbed(factor, d, ("gradient", "losses")) for factor, d in JUMP]
    assert gradients_jump(oracle, runs)
    reduced = reduce_trace(oracle, runs).stages
    for stage in ("gradient", "losses"):
        for entry, values in zip(reduced[stage], EXACT[stage], strict=True):
            share = 2 / CONDITIONED
            assert entry["moved"] == pytest.approx(share * 1e-2 * np.max(np.abs(values)))
    assert reduced["forward"][0]["moved"] == 0.0


@pytest.mark.usefixtures("small_arrays_show_jumps")
def test_gradient_bounds_are_those_of_the_stage():
    oracle = trace(np.float64)
    runs = [perturbed(factor, d, ("gradient",)) for factor, d in JUMP]
    (found,) = gradient_bounds(
        PerturbedReference(oracle, runs)
    )  # of the second entry; the first is the loss
    assert found == pytest.approx(2 * 1e-2 * np.max(np.abs(EXACT["gradient"][1])))


def test_allowed_steps_apply_to_each_element():
    oracle, values = trace(np.float64), trace(np.float64)
    allowance = np.zeros((2, 6))
    allowance[0, 2] = 1e-2
    oracle.stages[ALLOWED_STEPS] = [
        {"name": f"entry {n}", "layer": "", "terms": 0, "values": row}
        for n, row in enumerate(allowance)
    ]

    def holds(place, element, error):
        moved = EXACT["one step"][place].copy()
        moved[element] += error
        values.stages["one step"][place] = {**values.stages["one step"][place], "values": moved}
        stages = compare_traces({"torch": values}, oracle)
        values.stages["one step"][place]["values"] = EXACT["one step"][place]
        return next(stage for stage in stages if stage.name == "one step").holds

    assert holds(0, 2, 9e-3)
    assert not holds(0, 2, 2e-2)
    assert not holds(0, 3, 9e-3)
    assert not holds(1, 2, 9e-3)
