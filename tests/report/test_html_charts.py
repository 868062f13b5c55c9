"""Charts of HTML reports."""

import re

import pytest

from ae_multi.parity.curves import FAULT, ULP_PERTURBED
from ae_multi.report.html_charts import line_chart, share_chart
from tests.reference.html_page import Page

CURVES = {
    "old": [1e-3, 2e-3],
    "new": [1e-2, 2e-2],
    "jax": [1e-4, 2e-4],
    f"{ULP_PERTURBED}, 1": [1e-5, 2e-5],
    f"{ULP_PERTURBED}, 2": [1e-5, 2e-5],
    FAULT: [1e-1, 2e-1],
}


def series(chart):
    return re.findall(r'<g class="row (\w+)"', chart)


def test_environments_have_colours_of_their_own():
    chart = line_chart("Losses", CURVES, "step", "error")
    classes = series(chart)
    assert classes[2:] == ["jax", "noise", "noise", "fault"]
    assert len({*classes[:3], "noise", "fault"}) == 5
    text = Page(chart).text
    assert [word for word in ("old", "new", "jax", "rounding") if word in text] == [
        "old", "new", "jax", "rounding",
    ]  # fmt: skip


@pytest.mark.parametrize("count", [2, 7])
def test_every_environment_has_a_marker(count):
    names = [f"environment{number}" for number in range(count)]
    chart = share_chart("Shares", {"forward": dict.fromkeys(names, 0.5)})
    classes = re.findall(r'class="point (\w+)"', chart)
    assert len(set(classes)) == min(count, 5)
