"""Read and run the code blocks of README.md and docs/*.md."""

import pathlib
import re

import pytest

from ae_multi.backend_selection import installed

ROOT = pathlib.Path(__file__).parent.parent.parent
# Packages that a block may need and that may be missing.
OPTIONAL = (
    "torch", "tensorflow", "jax", "onnxruntime", "ai_edge_litert", "openvino", "safetensors",
)  # fmt: skip


def pages():
    """Return the paths of README.md and the pages of docs, relative to the project's folder."""
    return ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]


def blocks(page, language="python"):
    """Return the code blocks of ``page`` in ``language``, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def missing(block):
    """Return the optional packages that ``block`` names and that are not installed."""
    return [name for name in OPTIONAL if re.search(rf"\b{name}\b", block) and not installed(name)]


def run_page(page, folder, after=None):
    """Run the Python blocks of ``page`` in order, in ``folder``; return the names they define.

    Blocks that need a package which is not installed are left out.

    Args:
        page: a path from `pages`.
        folder: the working folder of the code.
        after: function of (block, names) that is called after each block, or None.
    """
    names = {"__name__": "page"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for block in blocks(page):
            if not missing(block):
                exec(compile(block, page, "exec"), names)
                if after is not None:
                    after(block, names)
    return names
