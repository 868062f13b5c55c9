"""Conclusions of checks, without a backend."""

import json
import math

import pytest

from ae_multi.parity.conclusion import relative_gap
from tests.reference.parity_reports import agreeing, bicubic, entry, report


def facts(result):
    return dict(result.conclusion.facts)


def test_headline_names_the_diverging_backend_first():
    result = bicubic()
    assert result.conclusion.headline == (
        "Backends differ: torch is alone; tensorflow, jax and numpy agree."
    )
    assert facts(result)["First divergence"] == "forward, enlarge (UpSampling2D), shape (2, 3)"
    assert "1e+05 times what rounding explains" in facts(result)["Size"]


def test_effect_on_the_last_loss_is_reported():
    text = facts(bicubic())["Loss after 20 steps"]
    assert text == (
        "1.1 on torch, 1 in float64: relative difference 1.0e-01, beyond what rounding explains"
    )
    within = report(
        {"forward": [entry("forward", beyond=("torch",))], "losses": [entry("losses", layer="")]}
    )
    assert "within what rounding explains" in facts(within)["Loss after 1 step"]


def test_known_difference_comes_with_its_section_and_advice():
    result = bicubic()
    (found,) = result.conclusion.matches
    assert found.layer == "enlarge"
    assert "bicubic" in facts(result)["Known difference"]
    assert "docs/differences.md#upsampling2d-and-resizing" in facts(result)["Known difference"]
    assert facts(result)["What to do"] == found.difference.advice


def test_unknown_difference_is_not_explained():
    result = report({"forward": [entry("forward", beyond=("torch",))]})
    assert result.conclusion.matches == ()
    assert facts(result)["Known difference"].startswith("none")
    assert "--script" in facts(result)["What to do"]


def test_agreement_names_the_place_closest_to_its_bound():
    result = agreeing()
    assert result.conclusion.headline == "The backends agree."
    label = facts(result)["Closest to its bound"]
    assert label == "forward, dense (Dense), shape (2, 3) on jax, at 30% of what rounding explains"


def test_headline_of_two_backends_names_the_one_that_agrees_with_float64():
    first = entry("forward", beyond=("torch",), backends=("torch", "jax"))
    pair = report({"forward": [first]})
    assert pair.conclusion.headline == (
        "Backends differ: torch from jax, which agrees with float64."
    )


@pytest.mark.parametrize(
    ("error", "shown"), [(2e3, ">1e3"), (1e30, ">1e3"), (math.inf, "not comparable")]
)
def test_huge_error_has_no_digits(error, shown):
    first = entry("forward", beyond=("torch",), error=error, at={})
    text = facts(report({"forward": [first]}))["Size"]
    assert text == f"torch is off by {shown} of the largest value"


def test_gap_of_a_number_from_zero_is_not_comparable():
    assert relative_gap(1.0, 0.0) == math.inf
    assert relative_gap(0.0, 0.0) == 0
    losses = entry("losses", layer="", beyond=("torch",), at={"torch": (0.5, 0.0)})
    text = facts(report({"losses": [losses]}))["Loss after 1 step"]
    assert "relative difference not comparable" in text


def test_conclusion_is_in_the_json():
    plain = json.loads(json.dumps(bicubic().to_json()))["conclusion"]
    assert plain["headline"].startswith("Backends differ: torch is alone")
    assert plain["facts"][0]["label"] == "First divergence"
    (known,) = plain["known_differences"]
    assert known["section"].startswith("docs/differences.md#")
