"""Code in docs runs as printed, commands can be parsed, and figures equal recorded results.

README.md, docs/interop.md and docs/differences.md have test files of their own, which also check
what the code computes. Other pages repeat the quickstart of README.md.
"""

import json
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ae_multi.cli import _COMMANDS, _join_commands, _parser, main
from ae_multi.data import load_data
from tests.reference.pages import ROOT, blocks, pages, run_page

ELSEWHERE = {"README.md", "docs/differences.md", "docs/interop.md"}
QUICKSTARTS = {"docs/getting_started.md", "docs/index.md"}
TASKS = {"docs/denoise.md", "docs/detect.md", "docs/features.md", "docs/reduce.md",
         "docs/segment.md"}  # fmt: skip
HERE = {
    "docs/checkpoints.md", "docs/estimators.md", "docs/export.md", "docs/files.md",
    "docs/large_data.md", "docs/models.md", "docs/own_models.md", "docs/workers.md",
}  # fmt: skip
RESULTS = ROOT / "benchmarks" / "results"
NOXFILE = (ROOT / "noxfile.py").read_text()
# Names of the nox sessions: functions, and rows of the table of sessions.
SESSIONS = [
    *re.findall(r"^@nox\.session.*?^def (\w+)", NOXFILE, re.MULTILINE | re.DOTALL),
    *re.findall(r'^    \("(\w+)", ', NOXFILE, re.MULTILINE),
]


def test_every_page_with_code_is_tested():
    assert {page for page in pages() if blocks(page)} == ELSEWHERE | QUICKSTARTS | TASKS | HERE


@pytest.mark.parametrize("page", sorted(QUICKSTARTS))
def test_quickstart_equals_that_of_the_readme(page):
    for language in ("python", "text"):
        assert blocks(page, language) == blocks("README.md", language)[:1]


def commands():
    """Yield (page, line) for each command in a block of shell code."""
    for page in pages():
        for block in blocks(page, "sh"):
            yield from ((page, line) for line in block.splitlines() if line.strip())


@pytest.mark.parametrize(("page", "line"), [*commands()], ids=lambda value: value[:40])
def test_commands_can_be_parsed(page, line):
    for part in line.split("&&"):
        check_command(shlex.split(part, comments=True))


def check_command(words):
    if words[0] == "ae-multi":
        arguments = _join_commands(words[1:])
        _parser(arguments[0]).parse_args(arguments)
    elif words[:2] == ["nox", "-s"]:
        session = words[2].partition("(")[0]
        assert session in SESSIONS
        if session in _COMMANDS and "--" in words:
            _parser(session).parse_args([session, *words[words.index("--") + 1 :]])
    elif words[0] == "torchrun":
        assert words[-1].endswith(".py")
    elif words[0] == "nox":
        assert words[1:] in ([], ["--list"])
    else:
        assert words[:4] == ["python", "-m", "pip", "install"]


@pytest.mark.parametrize("page", pages())
def test_commands_named_in_sentences_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert set(re.findall(r"`ae-multi (\w+)", text)) <= set(_COMMANDS)
    assert set(re.findall(r"`nox -s (\w+)", text)) <= set(SESSIONS)


@pytest.mark.parametrize("page", [*pages(), "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_links_have_targets(page):
    folder = (ROOT / page).parent
    for target, heading in re.findall(r"\]\(([^()#\s]*)#?([^()\s]*)\)", prose(ROOT / page)):
        if not target.startswith("https://"):
            path = folder / target if target else ROOT / page
            assert path.exists(), target
            assert not heading or heading in headings(path), f"{target}#{heading}"


def prose(path):
    """Return the text of a page without its code blocks."""
    return re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def headings(path):
    """Return the set of anchors of a page's headings."""
    titles = re.findall(r"^#+ (.*)", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.backend
@pytest.mark.once
@pytest.mark.slow
def test_custom_models_of_the_page_reach_the_documented_quality(tmp_path, capsys):
    names = run_page("docs/own_models.md", tmp_path)
    lines = capsys.readouterr().out.splitlines()
    # A comment on the page states that the model is better than PCA.
    assert float(lines[1][-8:]) < float(lines[2][-8:])
    assert lines[2].startswith("PCA-12")
    is_zero = load_data("mnist-sample").y_test == 0
    normal = names["labels"] == 1
    assert normal[is_zero].mean() > 0.85
    assert normal[~is_zero].mean() < 0.1
    assert names["history"].history["accuracy"][-1] > 0.85


@pytest.mark.slow
@pytest.mark.backend
@pytest.mark.once
@pytest.mark.parametrize("page", sorted(TASKS))
def test_task_pages_reach_the_documented_quality(page, tmp_path, capsys):
    names, sample = run_page(page, tmp_path), load_data("mnist-sample")
    clean, is_zero = sample.x_test, sample.y_test == 0
    if page == "docs/reduce.md":
        assert names["codes"].shape == (1000, 9)
        lines = capsys.readouterr().out.splitlines()
        assert lines[2].startswith("PCA-9")
        assert float(lines[1][-8:]) < float(lines[2][-8:])
    elif page == "docs/denoise.md":
        # The best linear filter reaches 0.0130.
        assert np.mean((names["clean"] - clean) ** 2) < 0.0125
    elif page == "docs/detect.md":
        normal = names["labels"] == 1
        assert normal[is_zero].mean() > 0.85
        assert normal[~is_zero].mean() < 0.1
        assert names["why"].shape == (1000, 28, 28, 1)
        assert names["scores"].shape == (1000,)
        assert names["course"].shape == names["alarms"].shape == (1000,)
        assert names["worst"].sensors == (1,)
        # Errors spread by less than half a window.
        assert 400 - 32 < names["worst"].begin <= 405
        assert 455 <= names["worst"].end < 460 + 32
    elif page == "docs/segment.md":
        masks, inside = names["found"].astype(bool), clean[..., 0] > 0.5
        assert (masks & inside).sum() > 0.85 * (masks | inside).sum()
        assert names["probabilities"].shape == (1000, 28, 28, 2)
    else:
        assert names["accuracy"] > 0.8


@pytest.mark.slow
@pytest.mark.backend
@pytest.mark.once
def test_commands_of_detection_run_as_printed(tmp_path, monkeypatch, capsys, digits):
    monkeypatch.chdir(tmp_path)
    (code,) = (block for block in blocks("docs/detect.md") if "readings.csv" in block)
    exec(compile(code, "docs/detect.md", "exec"), {})
    for folder, images in (("images", digits.x_train[:60]), ("new", digits.x_test[:20])):
        Path(folder).mkdir()
        for number, image in enumerate(images):
            levels = np.round(255 * image[..., 0]).astype(np.uint8)
            Image.fromarray(levels).save(f"{folder}/{number}.png")
    headers = []
    for line in (line for block in blocks("docs/detect.md", "sh") for line in block.splitlines()):
        if line.startswith(("ae-multi detect fit", "ae-multi detect score new")):
            assert main(shlex.split(line)[1:]) == 0
            if "score" in line.split():
                headers.append((tmp_path / "scores.csv").read_text().splitlines()[0])
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("autoencoder", "PCA-", "kNN-5", "isolation forest"))
    assert printed.count("Scored 500 rows") == 2
    assert "Scored 20 images" in printed
    columns = "column_1,share_1,column_2,share_2,column_3,share_3"
    of_table = f"time,score,probability,label,{columns}"
    assert headers == [of_table, of_table, "file,score,probability,label"]
    intervals = (tmp_path / "intervals.csv").read_text().splitlines()
    assert intervals[0] == "begin,end,rows,peak,sensors"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Return the names that the code of docs/models.md defines."""
    return run_page("docs/models.md", tmp_path_factory.mktemp("models"))


@pytest.mark.backend
@pytest.mark.once
@pytest.mark.parametrize(
    ("name", "cls"), [("simple", "SimpleAutoencoder"), ("deep", "DeepAutoencoder")]
)
def test_models_of_the_page_equal_those_of_the_package(models, name, cls, digits):
    import ae_multi

    printed = models[name].predict(digits.x_test, verbose=0)
    packaged = getattr(ae_multi, cls)().reconstruct(digits.x_test)
    # The order of a sum may depend on the batch size.
    np.testing.assert_allclose(printed, packaged, rtol=0, atol=3e-7)


@pytest.mark.slow
@pytest.mark.backend
@pytest.mark.once
def test_estimators_page_reaches_the_documented_quality(tmp_path):
    names, sample = run_page("docs/estimators.md", tmp_path), load_data("mnist-sample")
    assert names["codes"].shape == (1000, 9)
    clean, is_zero = sample.x_test, sample.y_test == 0
    # PCA-9 reaches 0.0347, the best linear filter 0.0130.
    assert np.mean((names["images"] - clean) ** 2) < 0.030
    assert np.mean((names["clean"] - clean) ** 2) < 0.0125
    normal = names["labels"] == 1
    assert normal[is_zero].mean() > 0.85
    assert normal[~is_zero].mean() < 0.1
    assert names["why"].shape == (1000, 28, 28, 1)
    masks = names["masks"].astype(bool)
    inside = clean[..., 0] > 0.5
    assert (masks & inside).sum() > 0.85 * (masks | inside).sum()
    np.testing.assert_array_equal(names["detector"].predict(clean), names["labels"])


@pytest.mark.backend
@pytest.mark.once
def test_files_page_registers_a_layer(tmp_path, keras):
    twice = run_page("docs/files.md", tmp_path)["Twice"]
    assert keras.saving.get_registered_object("mine>Twice") is twice


@pytest.mark.backend
@pytest.mark.once
def test_large_data_page_encodes_the_file(tmp_path):
    names = run_page("docs/large_data.md", tmp_path)
    assert names["codes"].shape == (6000, 32)
    np.testing.assert_array_equal(np.load(tmp_path / "codes.npy"), names["codes"])
    assert 0 < names["error"] < 0.067  # that of the mean image is 0.0677


@pytest.mark.backend
@pytest.mark.once
def test_script_of_the_workers_page_trains_without_workers(tmp_path):
    losses = run_page("docs/workers.md", tmp_path)["model"].history.history["loss"]
    assert losses[1] < losses[0]


@pytest.mark.slow
@pytest.mark.backend
def test_resumed_training_of_the_checkpoints_page_is_bit_identical(tmp_path, capsys):
    first, second = (run_page("docs/checkpoints.md", tmp_path)["model"] for _ in range(2))
    shown = capsys.readouterr().out
    assert "after epoch 60, from digits/" in shown
    assert shown.count("PCA-32") == 2
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.backend
def test_exported_files_of_the_page_return_the_labels_of_the_detector(tmp_path):
    # The telemetry of OpenVINO forks the process, about which JAX warns.
    sys.modules.setdefault("openvino_telemetry", None)
    checked = []

    def check(block, names):
        if "outputs = " in block:
            label = names["outputs"]["label"]
            label = label.detach().numpy() if hasattr(label, "detach") else np.asarray(label)
            np.testing.assert_array_equal(label, names["detector"].predict(names["x"]))
            checked.append(block)

    run_page("docs/export.md", tmp_path, check)
    assert checked


def test_compare_page_contains_the_recorded_comparison():
    recorded = json.loads((RESULTS / "compare-cpu.json").read_text())
    (printed,) = blocks("docs/compare.md", "text")
    lines = printed.splitlines()
    for result in recorded["results"]:
        line = next(
            line
            for line in lines
            if line.strip().startswith(f"{result['model']} ") and f" {result['backend']} " in line
        )
        for figure in (
            f"{result['train_mse']:.5f}",
            f"{result['test_mse']:.5f}",
            f"{result['pca_mse']:.5f}",
            f"{result['samples_per_second']:,.0f}",
        ):
            assert figure in line
    for model, found in recorded["agreement"].items():
        line = next(
            line for line in lines if line.startswith(f" {model} ") and " identical " in line
        )
        assert f"{found['first_losses_difference']:.1e} ≤ " in line
        assert f"{found['test_mse_difference']:.1e} ≤ {found['test_mse_bound']:.1e}" in line
        assert line.endswith(found["verdict"].upper())


def test_results_page_contains_the_recorded_speeds():
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    recorded = json.loads((RESULTS / "throughput-cpu.json").read_text())
    for result in recorded["results"]:
        rate, first = result["samples_per_second"], result["first"]
        assert (
            f"| {result['model']} | {result['backend']} | {rate['encode']:,.0f} "
            f"| {rate['reconstruct']:,.0f} | {rate['keras.predict']:,.0f} "
            f"| {rate['keras.predict as it comes']:,.0f} "
            f"| {first['ours']['first_epoch']:.1f} | {first['keras.fit']['two_epochs']:.1f} |"
        ) in page
    for peer in recorded["peers"]:
        name, rate = peer["peer"].replace("_", "-"), peer["samples_per_second"]
        assert f"| {peer['model']} | {name} {peer['version']} | {rate:,.0f} |" in page


def test_tables_of_documents_are_up_to_date():
    from benchmarks.documents import documents

    for path, text in documents().items():
        assert path.read_text() == text, f"python -m benchmarks.documents writes {path.name} again"


def test_filled_replaces_the_rows_of_one_table():
    from benchmarks.documents import filled

    text = "a\n\n| x | y |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |\n\n| z |\n| --- |\n| 5 |\n"
    updated = filled(text, "| x |", [("6", "7")])
    assert updated == "a\n\n| x | y |\n| --- | --- |\n| 6 | 7 |\n\n| z |\n| --- |\n| 5 |\n"
    with pytest.raises(ValueError, match=r"Received: '\| 6 \|'"):
        filled(text, "| x |", [("6",)])
    with pytest.raises(ValueError, match="unpack"):
        filled(text, "| w |", [])
