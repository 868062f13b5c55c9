"""HTML reports of comparisons."""

import re

from ae_multi.report.compare_html import comparison_page, write_comparison_page
from tests.reference.html_page import Page
from tests.reference.names import NAMES


def test_page_contains_verdict_curves_and_plans(comparison):
    source = comparison_page(comparison, {"cores": 2})
    found = Page(source)
    text = " ".join(found.text)
    assert text.index("The backends agree on every model.") < text.index("Results of each backend")
    for word in ("digits", "scan", "identical bit for bit", "0.0e+00", "Left out: tensorflow"):
        assert word in text
    assert [name for name, _ in found.elements].count("svg") == 2
    assert not re.search(r"https?:|url\(|@import", source)


def test_numbers_equal_those_of_the_json(comparison):
    found = Page(comparison_page(comparison))
    for key in ("test_mse", "train_mse", "psnr_db", "seconds"):
        shown = {
            (model, backend): float(value)
            for model, backend, value in found.data("model", "backend", key.replace("_", "-"))
        }
        results = comparison.to_json()["results"]
        assert shown == {(r["model"], r["backend"]): r[key] for r in results}


def test_differences_are_listed_with_their_reason(comparison):
    comparison.agreement["deep"].update(verdict="differ", reasons=["the initial weights differ"])
    comparison.results[0]["notes"] = ["worse than PCA with 9 components"]
    text = " ".join(Page(comparison_page(comparison)).text)
    assert "The backends differ on at least one model." in text
    assert "the initial weights differ." in text
    assert "torch: worse than PCA with 9 components." in text


def test_page_of_one_backend_has_no_verdict(comparison):
    for result in comparison.agreement.values():
        result["verdict"] = "one backend"
    source = comparison_page(comparison)
    assert "Only one backend was run, so there is nothing to compare." in source
    assert "agree on every model" not in source


def test_curves_of_one_backend_are_labelled_with_their_plans(comparison):
    for result in comparison.results:
        result["backend"] = "jax"
    text = " ".join(Page(comparison_page(comparison)).text)
    assert "jax graph" in text
    assert "jax scan" in text


def test_names_of_data_are_escaped(comparison, tmp_path):
    for name in (*NAMES, "<script>alert(1)</script>"):
        comparison.data["name"] = name
        write_comparison_page(comparison, tmp_path / "out.html")
        found = Page((tmp_path / "out.html").read_text(encoding="utf-8"))
        assert [tag for tag, _ in found.elements].count("script") == 1
        assert f"Comparison of backends on {name}" in "".join(found.text)
