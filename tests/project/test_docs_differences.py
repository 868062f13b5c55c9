"""The code of docs/differences.md prints the documented values on each backend."""

import ast
import re

import numpy as np
import pytest

from tests.reference.pages import ROOT

PAGE = (ROOT / "docs" / "differences.md").read_text()
ENTRIES = re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]
SECTIONS = re.findall(r"^### (.*?)\n.*?```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.M | re.S)


def test_every_code_block_is_run_or_listed_as_not_run():
    assert len(SECTIONS) == PAGE.count("```python")
    not_run = PAGE.partition("## Not run by the tests")[2]
    assert len(ENTRIES) - len(SECTIONS) == not_run.count("```py\n") == PAGE.count("```py\n")


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.partition("\n")[0])
def test_entry_is_a_complete_report(entry):
    title, versions, rest = re.split(r"\n+", entry, maxsplit=2)
    assert title
    assert re.fullmatch(r"Keras [\d.]+ on a CPU, with torch .*, tensorflow .* and jax .*", versions)
    assert re.match(r"```py(thon)?\n(.*\n)*?import keras\n", rest)
    parts = re.findall(r"^- \*\*(.*?):\*\* \S", rest, re.MULTILINE)
    assert parts == ["Expected", "Actual", "Cause", "Existing report"]
    report = rest.partition("**Existing report:**")[2]
    assert "https://github.com/" in report or "one found (" in report


@pytest.mark.backend
@pytest.mark.filterwarnings("ignore")  # warnings of Keras
@pytest.mark.parametrize(("title", "code", "printed"), SECTIONS, ids=[s[0] for s in SECTIONS])
def test_code_prints_the_documented_values(title, code, printed, backend, capsys):
    names = {}
    exec(compile(code, "differences.md", "exec"), names)
    lines = [ast.literal_eval(line) for line in capsys.readouterr().out.splitlines()]
    documented = dict.fromkeys(("torch", "tensorflow", "jax"), ())
    for line in printed.splitlines():
        name, values = line.split(maxsplit=1)
        documented[name] += (ast.literal_eval(values),)
    assert len(lines) == len(documented[backend])
    for found, expected in zip(lines, documented[backend], strict=True):
        found, expected = np.array(found, float), np.array(expected, float)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3 * np.max(np.abs(expected)))
    assert len(set(map(str, documented.values()))) > 1, "no backend differs"
