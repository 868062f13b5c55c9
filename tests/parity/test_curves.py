"""Curves of losses, as distances from the float64 reference."""

import numpy as np
import pytest

from ae_multi.parity.curves import curves
from ae_multi.parity.trace import Trace
from tests.reference.traces import training


def test_curves_are_distances_from_the_reference(traces):
    def epoch(*losses):
        common = {"layer": "", "terms": 0}
        steps = [{"name": "s", "values": np.asarray(loss), **common} for loss in losses]
        return [*steps, {"name": "running loss", "values": np.array(losses), **common}]

    oracle = Trace({}, {"epoch": epoch(1.0, 0.5), "training": training(0.1)})
    jax = Trace({}, {"epoch": epoch(1.0, 0.505), "training": training(0.1, (0.5, 0.2))})
    ulp_perturbed = Trace({}, {"training": training(0.1, (0.6, 0.25))})
    found = curves({"jax": jax}, oracle, [ulp_perturbed], None)
    assert found["epoch"] == {"jax": [0.0, pytest.approx(0.01)]}
    assert found["training"]["jax"] == [0.0, pytest.approx(0.2)]
    assert found["training"]["perturbed by rounding, 1"] == [pytest.approx(0.2), 0.0]
    assert curves({"jax": jax}, Trace({}, {}), [], None) == {}


def test_curves_allow_a_loss_of_zero():
    def losses(*values):
        common = {"layer": "", "terms": 0}
        return {"epoch": [{"name": "s", "values": np.asarray(value), **common} for value in values]}

    found = curves({"jax": Trace({}, losses(0.0, 1.0))}, Trace({}, losses(0.0, 2.0)), [], None)
    assert found["epoch"]["jax"] == [0.0, 0.5]
