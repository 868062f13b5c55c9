"""The ladder can fail: a fault planted in one backend is caught, at its rung, with its layer."""

import os
from pathlib import Path

import pytest

from ae_multi.parity.check import Probes
from ae_multi.parity.ladder import climb
from tests.reference.faults import FAULTS, PRELUDE
from tests.reference.planting import altered

pytestmark = pytest.mark.across

SUSPECT = f"{Path(__file__).parent / 'reference' / 'suspect.py'}:build"


@pytest.fixture(scope="module")
def clean(pythons, tmp_path_factory):
    """(probes, traces of all backends, oracle, shaken oracles) of the model without faults."""
    probes = Probes(
        SUSPECT, None, None, (16, 16, 1), seed=0, steps=20, batch_size=32,
        folder=tmp_path_factory.mktemp("traces"), python=pythons.get,
    )  # fmt: skip
    traces = {backend: probes.trace(backend) for backend in ("torch", "tensorflow", "jax")}
    return probes, traces, *probes.oracle("jax")


def divergences(rungs):
    return [entry for rung in rungs for entry in rung.divergences]


def test_without_a_fault_every_rung_holds(clean):
    _, traces, oracle, shaken = clean
    rungs = climb(traces, oracle, shaken)
    assert [str(entry) for entry in divergences(rungs)] == []
    assert all(rung.compared for rung in rungs)


# A few of each rung on every run; all of them, which takes minutes, by nox -s faults.
CHOSEN = [
    name
    for name in FAULTS
    if os.environ.get("AE_MULTI_ALL_FAULTS")
    or name
    in (
        "one weight one ulp off",
        "two batches swapped",
        "TF32 in one layer",
        "an unbiased variance in BatchNormalization",
        "a gradient doubled in one layer",
        "Adam with epsilon 1e-8",
        "Adam with beta 1 of .95",
    )
]


@pytest.mark.parametrize("name", CHOSEN)
def test_a_fault_is_caught_where_it_is(clean, pythons, tmp_path, name):
    probes, traces, oracle, shaken = clean
    fault = FAULTS[name]
    python = altered(pythons["jax"], tmp_path / "site", PRELUDE + fault.code)
    rungs = climb({**traces, "jax": probes.trace("jax", python)}, oracle, shaken)
    found = divergences(rungs)
    assert found, "not caught"
    first = found[0]
    assert first.rung == fault.rung, str(first)
    assert first.name.startswith(fault.name), str(first)
    assert first.guilty == ("jax",), str(first)
