"""What the README shows runs as printed."""

import contextlib
import io
import re

import numpy as np
import pytest

from ae_multi.data import load_data
from tests.reference.pages import ROOT, blocks, run_page

README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """The names that the README's code blocks define, and the lines that they print."""
    assert len(blocks("README.md")) == 5
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        names = run_page("README.md", tmp_path_factory.mktemp("readme"))
    return names, output.getvalue().splitlines()


@pytest.fixture
def namespace(shown):
    return shown[0]


@pytest.fixture(scope="module")
def sample():
    return load_data("mnist-sample")


@pytest.mark.backend
@pytest.mark.once
def test_the_models_beat_pca_by_what_is_printed(shown, sample):
    names, lines = shown
    printed = blocks("README.md", "text")[1].splitlines()
    assert lines[0] == printed[0]
    for found, expected in zip(lines[1:4], printed[1:], strict=True):
        assert found[:-8] == expected[:-8]
        assert float(found[-8:]) == pytest.approx(float(expected[-8:]), rel=0.02)
    # "better than PCA-12", as a comment says.
    assert float(lines[5][-8:]) < float(lines[6][-8:])
    assert lines[6].startswith("PCA-12")
    assert names["model"].encode(sample.x_test).shape == (1000, 32)


@pytest.mark.backend
@pytest.mark.once
def test_the_estimators_do_what_they_say(namespace, sample):
    assert namespace["codes"].shape == (1000, 9)
    clean, is_zero = sample.x_test, sample.y_test == 0
    # PCA-9 has .0347, a filter by the best linear map .0130.
    assert np.mean((namespace["images"] - clean) ** 2) < 0.030
    assert np.mean((namespace["clean"] - clean) ** 2) < 0.0125
    normal = namespace["labels"] == 1
    assert normal[is_zero].mean() > 0.85
    assert normal[~is_zero].mean() < 0.1
    assert namespace["why"].shape == (1000, 28, 28, 1)
    masks = namespace["masks"].astype(bool)
    inside = clean[..., 0] > 0.5
    assert (masks & inside).sum() > 0.85 * (masks | inside).sum()
    np.testing.assert_array_equal(namespace["detector"].predict(clean), namespace["labels"])


@pytest.mark.backend
@pytest.mark.once
@pytest.mark.parametrize(
    ("name", "cls"), [("simple", "SimpleAutoencoder"), ("deep", "DeepAutoencoder")]
)
def test_the_printed_models_are_the_packages(namespace, name, cls, digits):
    import ae_multi

    printed = namespace[name].predict(digits.x_test, verbose=0)
    packaged = getattr(ae_multi, cls)().reconstruct(digits.x_test)
    # Batches of another size may be summed in another order.
    np.testing.assert_allclose(printed, packaged, rtol=0, atol=3e-7)


def test_the_first_screen_has_the_two_commands():
    screen = README[:1200]
    assert "python -m pip install nox && nox " in screen
    assert "python -m pip install nox && nox -s tests" in screen
    assert "python -m pip install nox && nox -s tests" in (ROOT / ".ci" / "run").read_text()


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_recorded_figures_are_the_printed_ones():
    import json

    recorded = json.loads((ROOT / "benchmarks" / "results" / "compare-cpu.json").read_text())
    for result in recorded["results"]:
        line = next(
            line
            for line in README.splitlines()
            if line.strip().startswith(f"{result['model']} ") and f" {result['backend']} " in line
        )
        for figure in (
            f"{result['train_mse']:.5f}",
            f"{result['test_mse']:.5f}",
            f"{result['pca_mse']:.5f}",
            f"{result['samples_per_second']:,.0f}",
        ):
            assert figure in line


def test_the_recorded_speeds_are_the_printed_ones():
    import json

    recorded = json.loads((ROOT / "benchmarks" / "results" / "throughput-cpu.json").read_text())
    assert len(recorded["results"]) == 9
    for result in recorded["results"]:
        rate = result["samples_per_second"]
        row = (
            f"| {result['model']} | {result['backend']} | {rate['native']:,.0f} "
            f"| {rate['keras.fit']:,.0f} | {rate['ours']:,.0f} "
            f"| {rate['ours'] / rate['native']:.2f} | {rate['ours'] / rate['keras.fit']:.2f} "
            f"| {result['plan']['name']} |"
        )
        assert row in README
        first = result["first"]
        assert (
            f"| {result['model']} | {result['backend']} | {rate['encode']:,.0f} "
            f"| {rate['reconstruct']:,.0f} | {rate['keras.predict']:,.0f} "
            f"| {rate['keras.predict as it comes']:,.0f} "
            f"| {first['ours']['first_epoch']:.1f} | {first['keras.fit']['two_epochs']:.1f} |"
        ) in README
    for peer in recorded["peers"]:
        name, rate = peer["peer"].replace("_", "-"), peer["samples_per_second"]
        assert f"| {peer['model']} | {name} {peer['version']} | {rate:,.0f} |" in README


def test_the_documents_tables_say_what_was_recorded():
    from benchmarks.documents import documents

    for path, text in documents().items():
        assert path.read_text() == text, f"python -m benchmarks.documents writes {path.name} anew"


def test_a_table_is_filled_and_nothing_else_changes():
    from benchmarks.documents import filled

    text = "a\n\n| x | y |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |\n\n| z |\n| --- |\n| 5 |\n"
    made = filled(text, "| x |", [("6", "7")])
    assert made == "a\n\n| x | y |\n| --- | --- |\n| 6 | 7 |\n\n| z |\n| --- |\n| 5 |\n"
    with pytest.raises(ValueError, match=r"Received: '\| 6 \|'"):
        filled(text, "| x |", [("6",)])
    with pytest.raises(ValueError, match="unpack"):
        filled(text, "| w |", [])
