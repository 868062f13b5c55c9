"""The ladder can fail: a fault planted in one backend is caught, at its rung, with its layer."""

import pytest

from tests.faults.catalogue import BACKENDS, FAULTS
from tests.faults.hunt import Hunt, planned

# One of each rung, spread over the backends; all of them, which takes minutes, by nox -s faults.
CHOSEN = [
    ("one weight one ulp off", "tensorflow"),
    ("two batches swapped", "jax"),
    ("TF32 in one layer", "torch"),
    ("an unbiased variance in BatchNormalization", "torch"),
    ("a gradient doubled in one layer", "tensorflow"),
    ("Adam with epsilon 1e-8", "jax"),
    ("Adam with beta 1 of .95", "torch"),
]


@pytest.fixture(scope="module")
def hunt(pythons, tmp_path_factory):
    return Hunt(pythons, tmp_path_factory.mktemp("traces"))


@pytest.mark.across
def test_without_a_fault_every_rung_holds(hunt):
    rungs = hunt.without_fault()
    assert [str(entry) for rung in rungs for entry in rung.divergences] == []
    assert all(rung.compared for rung in rungs)


@pytest.mark.across
@pytest.mark.parametrize(("name", "backend"), CHOSEN)
def test_a_fault_is_caught_where_it_is(hunt, name, backend):
    verdict = hunt.plant(name, backend)
    assert verdict.caught, str(verdict)


def test_every_fault_is_planted_in_every_backend_that_it_is_defined_for():
    plan = planned(BACKENDS)
    assert len(plan) == len(set(plan)) == sum(len(fault.backends) for fault in FAULTS.values())
    assert {name for name, _ in plan} == set(FAULTS)
    for name, fault in FAULTS.items():
        assert fault.why if set(fault.backends) < set(BACKENDS) else not fault.why, name
