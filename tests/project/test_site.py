"""The documentation site is complete: its contents, its API reference and its examples.

These tests need no framework and no Sphinx. `nox -s docs` builds the site, with warnings as
errors.
"""

import ast
import re
from collections import Counter

import pytest

import ae_multi
from tests.reference.pages import ROOT

DOCS = ROOT / "docs"
GENERATED = {"api/index", "gallery/index"}
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def assigned(path, name):
    """Return the literal that a source file assigns to ``name``, or None."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == name:
            return ast.literal_eval(node.value)
    return None


def entries():
    """Yield the entries of the tables of contents in docs."""
    for page in DOCS.glob("*.md"):
        for block in re.findall(r"^```{toctree}\n(.*?)^```", page.read_text("utf-8"), re.M | re.S):
            yield from re.findall(r"^(?:[^:].* <)?([\w/]+)>?$", block, re.MULTILINE)


def test_every_page_occurs_once_in_the_contents():
    pages = {path.stem for path in DOCS.glob("*.md")} - {"index"}
    assert Counter(entries()) == Counter([*pages, *GENERATED])


def test_api_reference_lists_every_public_name():
    documented = {}
    for _, _, modules in assigned(DOCS / "conf.py", "PUBLIC_API"):
        for module, names in modules.items():
            documented.setdefault(module, []).extend(names)
    top = documented.pop("ae_multi")
    assert Counter(top) == Counter(set(ae_multi._HOME))
    for package in ae_multi._SUBPACKAGES:
        source = ROOT / "ae_multi" / package / "__init__.py"
        own = set(assigned(source, "__all__") or ()) - set(top)
        assert Counter(documented.pop(f"ae_multi.{package}", [])) == Counter(own), package
    assert not documented


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_is_short_and_downloads_nothing(path):
    source = path.read_text("utf-8")
    assert len(source.splitlines()) < 60
    assert set(re.findall(r"load_data\((.*?)\)", source)) <= {'"mnist-sample"', '"digits"'}
    title, line = ast.get_docstring(ast.parse(source)).splitlines()[:2]
    assert line == "=" * len(title)


def test_gallery_has_five_examples():
    assert len(EXAMPLES) == 5
