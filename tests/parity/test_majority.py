"""Detection of a diverging backend that computed the float64 reference."""

import numpy as np
import pytest

from ae_multi.parity.stages import compare_traces
from tests.reference.traces import trace


@pytest.fixture
def four_traces(traces):
    """Traces of four backends, of which numpy only runs forward."""
    numpy = trace(np.float32)
    for stage in ("gradient", "one step", "losses", "epoch"):
        del numpy.stages[stage]
    numpy.about["forward_only"] = True
    return {
        "torch": traces["torch"],
        "tensorflow": trace(np.float32),
        "jax": traces["jax"],
        "numpy": numpy,
    }


def float64_trace(backend, change=None):
    oracle = trace(np.float64, change)
    oracle.about["backend"] = backend
    return oracle


@pytest.mark.parametrize("stage", ["forward", "training forward", "gradient", "one step", "losses"])
def test_diverging_reference_backend_is_named(four_traces, stage):
    four_traces["jax"] = trace(np.float32, {stage: 1 + 1e-3})
    stages = compare_traces(four_traces, float64_trace("jax", {stage: 1 + 1e-3}), [])
    assert [stage.name for stage in stages if not stage.holds] == [stage]
    (entry,) = next(stage for stage in stages if not stage.holds).divergences
    assert entry.diverging == ("jax",)
    assert entry.remarks == ()
    assert entry.error["jax"] == pytest.approx(1e-3, rel=1e-2)
    assert max(entry.error[b] for b in entry.agreeing) < 1e-6
    agree = "torch, tensorflow and numpy" if "forward" in stage else "torch and tensorflow"
    assert f"jax differs from {agree}, which agree: jax is off by" in str(entry)


def test_reference_decides_if_the_other_backends_disagree(four_traces):
    four_traces["torch"] = trace(np.float32, {"gradient": 1 + 1e-3})
    four_traces["tensorflow"] = trace(np.float32, {"gradient": 1 - 1e-3})
    stages = compare_traces(four_traces, float64_trace("jax"), [])
    (entry,) = next(stage for stage in stages if not stage.holds).divergences
    assert entry.diverging == ("torch", "tensorflow")
    assert entry.reference == ""


def test_two_agreeing_backends_outweigh_the_reference(four_traces):
    del four_traces["tensorflow"]
    four_traces["jax"] = trace(np.float32, {"forward": 1 + 1e-3})
    oracle = float64_trace("jax", {"forward": 1 + 1e-3})
    entry = compare_traces(four_traces, oracle, [])[3].divergences[0]
    assert (entry.diverging, entry.remarks, entry.reference) == (("jax",), (), "torch")
    del four_traces["numpy"]
    entry = compare_traces(four_traces, oracle, [])[3].divergences[0]
    assert entry.diverging == ("torch",)  # two backends give no majority
    assert "torch differs from jax: torch is off by" in str(entry)


def test_diverging_reference_is_named_in_float64(four_traces):
    exact = {backend: trace(np.float64) for backend in ("torch", "tensorflow")}
    wrong = float64_trace("jax", {"one step": 1 + 1e-12})
    (entry,) = compare_traces(four_traces, wrong, [], exact=exact)[-1].divergences
    assert entry.diverging == ("jax",)
