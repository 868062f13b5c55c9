"""Code in the pages of docs runs as printed, and commands in all pages can be parsed.

README.md, docs/moving.md and docs/differences.md have test files of their own, which also check
what the code computes.
"""

import re
import shlex
import sys

import numpy as np
import pytest

from ae_multi.cli import _COMMANDS, _parser
from tests.reference.pages import ROOT, blocks, pages, run_page

ELSEWHERE = {"README.md", "docs/moving.md", "docs/differences.md"}
HERE = {"docs/checkpoints.md", "docs/export.md", "docs/files.md"}
NOXFILE = (ROOT / "noxfile.py").read_text()
SESSIONS = re.findall(r"^@nox\.session.*?^def (\w+)", NOXFILE, re.MULTILINE | re.DOTALL)


def test_every_page_with_code_is_run():
    assert {page for page in pages() if blocks(page)} == ELSEWHERE | HERE


def commands():
    """(page, line) of each command in a block of shell code."""
    for page in pages():
        for block in blocks(page, "sh"):
            yield from ((page, line) for line in block.splitlines() if line.strip())


@pytest.mark.parametrize(("page", "line"), [*commands()], ids=lambda value: value[:40])
def test_commands_can_be_parsed(page, line):
    for part in line.split("&&"):
        check_command(shlex.split(part, comments=True))


def check_command(words):
    if words[0] == "ae-multi":
        _parser(words[1]).parse_args(words[1:])
    elif words[:2] == ["nox", "-s"]:
        session = words[2].partition("(")[0]
        assert session in SESSIONS
        if session in _COMMANDS and "--" in words:
            _parser(session).parse_args([session, *words[words.index("--") + 1 :]])
    elif words[0] == "nox":
        assert words[1:] in ([], ["--list"])
    else:
        assert words[:4] == ["python", "-m", "pip", "install"]


@pytest.mark.parametrize("page", pages())
def test_commands_named_in_sentences_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert set(re.findall(r"`ae-multi (\w+)", text)) <= set(_COMMANDS)
    assert set(re.findall(r"`nox -s (\w+)", text)) <= set(SESSIONS)


@pytest.mark.backend
@pytest.mark.once
def test_a_layer_of_the_page_about_files_is_registered(tmp_path, keras):
    twice = run_page("docs/files.md", tmp_path)["Twice"]
    assert keras.saving.get_registered_object("mine>Twice") is twice


@pytest.mark.backend
def test_a_training_of_the_page_about_checkpoints_resumes(tmp_path, capsys):
    first, second = (run_page("docs/checkpoints.md", tmp_path)["model"] for _ in range(2))
    shown = capsys.readouterr().out
    assert "after epoch 60, from digits/" in shown
    assert shown.count("PCA-32") == 2
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.backend
def test_files_of_the_page_about_exports_give_the_detectors_labels(tmp_path):
    # It starts a process, of which JAX warns.
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
