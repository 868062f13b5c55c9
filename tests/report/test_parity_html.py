"""HTML reports of parity checks."""

import json
import os
import re

import pytest

from ae_multi.report.html import page, write_page
from ae_multi.report.parity_html import parity_page, write_parity_page
from tests.reference.chromium import needs_chromium, render
from tests.reference.html_page import Page
from tests.reference.parity_reports import agreeing, bicubic, entry, report

HOSTILE = "<script>alert('x')</script>\"&\x1b"


def test_page_begins_with_the_conclusion():
    text = " ".join(Page(parity_page([bicubic()])).text)
    positions = [
        text.index(heading)
        for heading in (
            "torch is alone; tensorflow, jax and numpy agree",
            "What to do",
            "The network",
            "Values at the first divergence",
            "Error by stage",
            "Error by step",
            "Environment",
        )
    ]
    assert positions == sorted(positions)
    assert "3.15.1" in text


def test_numbers_of_the_page_equal_those_of_the_json():
    result = bicubic()
    found, record = Page(parity_page([result])), result.to_json()
    largest = {(s, b): float(v) for s, b, v in found.data("stage", "backend", "largest")}
    assert largest == {
        (stage["rung"], b): v for stage in record["rungs"] for b, v in stage["largest"].items()
    }
    errors = {
        (stage, int(place), backend): (float(error), float(bound))
        for stage, place, backend, error, bound in found.data(
            "stage", "place", "backend", "error", "bound"
        )
    }
    layer_stages = [stage for stage in record["rungs"] if stage["rung"] in ("forward", "gradient")]
    for stage in layer_stages:
        for place in (stage["closest"], *stage["divergences"]):
            for backend, error in place["error"].items():
                key = (stage["rung"], place["place"], backend)
                assert errors[key] == (error, place["bound"][backend])
    steps = {(int(n), b): float(e) for n, b, e in found.data("step", "backend", "error")}
    for place in record["rungs"][-1]["divergences"]:
        assert {b: steps[place["place"], b] for b in place["error"]} == place["error"]
    first = record["first_divergence"]
    values = [json.loads(value) for (value,) in found.data("value")]
    assert values == [number for pair in first["at"].values() for number in pair]


def test_shown_errors_are_rounded_to_two_digits():
    source = parity_page([bicubic()])
    shown = re.findall(r'data-(?:error|largest)="([^"]+)"[^>]*>([^<]+)<', source)
    assert len(shown) > 50
    assert all(text == f"{float(exact):.1e}" for exact, text in shown)


def test_only_the_details_of_the_first_divergence_are_open():
    found = Page(parity_page([bicubic()]))
    opened = [attributes for name, attributes in found.elements if name == "details"]
    # The layers conv, enlarge and out, and the loss; then two tables of numbers.
    assert ["open" in attributes for attributes in opened] == [False, True, *[False] * 4]
    assert opened[1]["class"] == "first"


def test_cell_beyond_its_bound_has_a_mark_besides_its_colour():
    source = parity_page([bicubic()])
    assert "✗ 1.0e5<small>torch</small>" in source
    within = re.findall(r'class="cell m(\d)"[^>]*>(?:<small[^<]*</small>)?([\d.]+)', source)
    assert ("3", "0.30") not in within  # 0.3 is the upper limit of colour 2
    assert ("2", "0.30") in within


@pytest.mark.parametrize("field", ["layer", "class", "model", "version", "left out"])
def test_names_are_escaped(field):
    changes = {"layer": HOSTILE}
    result = {
        "layer": lambda: bicubic(name=HOSTILE),
        "class": lambda: report({"forward": [entry("forward", **changes)]}),
        "model": lambda: bicubic(model=HOSTILE),
        "version": lambda: agreeing(backends={"jax": {"versions": {HOSTILE: HOSTILE}}}),
        "left out": lambda: agreeing(left_out={"torch": HOSTILE}),
    }[field]()
    source = parity_page([result, agreeing()])
    found = Page(source)
    assert [name for name, _ in found.elements].count("script") == 1
    assert "alert('x')</script>" not in source
    assert "\x1b" not in source
    assert "<script>alert('x')</script>\"&\\x1b" in "".join(found.text)


def test_page_loads_no_other_resources():
    source = full_page()
    found = Page(source)
    # Links to GitHub are not loaded with the page.
    without_links = re.sub(r"https://github\.com/[\w/.-]+", "", source)
    assert not re.search(r"https?:|//[a-z]|url\(|@import", without_links)
    for name, attributes in found.elements:
        assert name not in ("link", "img", "iframe", "object", "embed", "base")
        assert not {"src", "srcset", "xlink:href"} & set(attributes)
        assert attributes.get("href", "#").startswith("#")
    (policy,) = (a["content"] for n, a in found.elements if "http-equiv" in a)
    assert policy.startswith("default-src 'none'; ")


def full_page():
    """Return the HTML of a page with two models, curves and the environment."""
    curves = {"epoch": {"torch": [0.1, 0.2], "planted fault": [1.0, float("inf")]}}
    curves["training"] = {"jax": [0.0, 1e-7], "perturbed by rounding, 1": [1e-7, 1e-8]}
    return parity_page([bicubic(curves=curves), agreeing()], {"date": "2026-01-01", "cores": 2})


def test_several_models_are_listed_with_their_verdicts():
    found = Page(full_page())
    text = " ".join(found.text)
    assert "The backends agree on 1 of 2 models." in text
    links = [a["href"] for n, a in found.elements if n == "a"]
    ids = [a["id"] for _, a in found.elements if "id" in a]
    assert links == ["#model-1", "#model-2"] == [f"#{name}" for name in ids]
    assert "date: 2026-01-01" in text


def test_scrollable_and_interactive_elements_have_tabindex_and_label():
    found = Page(full_page())
    for name, attributes in found.elements:
        if "scroll" in attributes.get("class", "").split():
            assert attributes["tabindex"] == "0"
            assert attributes["aria-label"]
        if name == "svg":
            assert attributes["aria-label"]
        if attributes.get("class", "").startswith("row"):
            assert attributes["tabindex"] == "0"
            assert attributes["aria-label"]
    assert [n for n, _ in found.elements].count("summary") == [n for n, _ in found.elements].count(
        "details"
    )


def test_page_states_agreement_and_bitwise_differences():
    assert "The backends agree." in parity_page([agreeing()])
    bits = entry(
        "start",
        name="dense/kernel",
        beyond=("torch",),
        bound=dict.fromkeys(("torch", "tensorflow", "jax", "numpy"), 0.0),
        at={"torch": ("numbers of type float16", "float32")},
    )
    source = parity_page([report({"start": [bits]})])
    assert "✗ differs" in source
    assert "equal bit for bit" in source
    assert ">inf<" not in source
    assert ">nan<" not in source


def test_written_page_replaces_the_old_one_and_encodes_any_name(tmp_path):
    path = tmp_path / "out.html"
    write_parity_page([bicubic(name="é\ud800")], path)
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "é&#55296;" in path.read_text(encoding="utf-8")
    write_page(path, page("second"))
    assert "<title>second</title>" in path.read_text(encoding="utf-8")
    assert [file.name for file in tmp_path.iterdir()] == ["out.html"]


def test_failed_write_leaves_the_old_page(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    path = tmp_path / "out.html"
    path.write_text("old")
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_parity_page([bicubic()], path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@needs_chromium
def test_chromium_shows_the_page_and_executes_no_name(tmp_path):
    hostile = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
    write_parity_page([bicubic(name=hostile)], tmp_path / "out.html")
    process = render(tmp_path / "out.html", tmp_path, 2000)
    assert "<title>Parity of models.py:build</title>" in process.stdout, process.stderr
    assert "<polyline" in process.stdout
    assert "<img" not in process.stdout
