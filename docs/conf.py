"""Configuration of the documentation site: ``nox -s docs`` builds it in ``docs/_build/html``.

Nothing is fetched: no inventories of other projects, no scripts or fonts from another host, and
formulas are MathML.
"""

import inspect
import itertools
import os
import re
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"

HERE = Path(__file__).parent

# The public API by section: a title, a sentence, and for each module the names that it documents.
# A name that `ae_multi` and a subpackage have in common is documented once, as `ae_multi`'s.
PUBLIC_API = (
    ("Models", "Keras models, which every backend trains and loads.", {
        "ae_multi": [
            "Autoencoder", "SimpleAutoencoder", "DeepAutoencoder", "ConvAutoencoder",
            "DenoisingAutoencoder", "SparseAutoencoder", "ContractiveAutoencoder",
            "VariationalAutoencoder", "VectorQuantizedAutoencoder", "RestorationNetwork",
            "SegmentationNetwork", "load_model", "StructuralSimilarity",
        ],
        "ae_multi.models": ["PixelCrossEntropy", "ssim"],
    }),
    ("Training", "Train, evaluate and run any compiled Keras model.", {
        "ae_multi": ["fit", "evaluate", "predict", "compare_with_pca"],
        "ae_multi.workers": ["Group", "current", "ray"],
    }),
    ("Estimators", "The scikit-learn API.", {
        "ae_multi": [
            "AutoencoderTransformer", "AnomalyDetector", "TimeSeriesDetector", "Denoiser",
            "Segmenter", "load_estimator", "TablePreprocessor", "make_preprocessor",
        ],
    }),
    ("Interop and export", "Models in PyTorch, JAX, plain Keras and other runtimes.", {
        "ae_multi": [
            "to_torch", "from_torch", "to_jax", "from_jax", "to_keras", "from_keras",
            "save_safetensors", "load_safetensors", "export",
        ],
    }),
    ("Data", "Data sets in memory, and samples on disk.", {
        "ae_multi": ["load_data", "Dataset", "source"],
    }),
    ("Compare backends", "Train the same models on every backend, or compare one step by step.", {
        "ae_multi.compare": ["compare", "CompareConfig", "TrainingConfig", "Comparison", "MODELS"],
        "ae_multi.parity": ["check", "record", "compare", "Report", "TraceFile"],
    }),
    ("Randomness", "The same numbers on every backend.", {
        "ae_multi.randomness": [
            "Seeded", "redraw", "Dropout", "GaussianNoise", "MaskingNoise", "SaltAndPepper",
            "permutation", "stream", "check_seed",
        ],
    }),
    ("Checkpoints", "Folders of checkpoints.", {
        "ae_multi.checkpoints": ["Folder", "Position", "Interval"],
    }),
    ("Backends", "The backend that Keras runs on.", {
        "ae_multi.backends": ["BACKENDS", "current", "get", "get_native_network"],
    }),
    ("Errors", "What the package raises.", {
        "ae_multi": ["InputError", "BackendError", "DivergenceError", "ExportError"],
    }),
)  # fmt: skip
# Documented with a section although no ``__all__`` names it: a base class that describes shared
# parameters, what public functions return, and the tasks.
ALSO_DOCUMENTED = {
    "Training": ["ae_multi.baselines.BaselineComparison"],
    "Data": ["ae_multi.data.source.Source"],
    "Estimators": [
        "ae_multi.estimators.base.NetworkEstimator",
        "ae_multi.estimators.intervals.AnomalyInterval", "ae_multi.tasks.reduce.reduce",
        "ae_multi.tasks.denoise.denoise", "ae_multi.tasks.detect.detect",
        "ae_multi.tasks.segment.segment", "ae_multi.tasks.features.features",
        "ae_multi.tasks.series_figure.draw_series",
        "ae_multi.tasks.result.Options", "ae_multi.tasks.result.Result",
        "ae_multi.tasks.result.Measure",
        "ae_multi.report.detection.write_detection_report",
        "ae_multi.tasks.detect_report.detection_report",
        "ae_multi.tasks.report_contents.DetectionReport",
    ],
    "Compare backends": [
        "ae_multi.parity.divergence.Stage", "ae_multi.parity.divergence.Divergence",
    ],
    "Errors": ["ae_multi.errors.WorkerError"],
}  # fmt: skip
# Documents outside of this folder, and the pages that show them.
ROOT_DOCUMENTS = {"README": "index", "CHANGELOG": "changelog", "CONTRIBUTING": "contributing"}

project = "ae_multi"
copyright = "the ae_multi authors"
version = release = re.search(
    r'__version__ = "(.*)"', (HERE.parent / "ae_multi" / "__init__.py").read_text("utf-8")
)[1]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
# Names in single backquotes are links where the API reference has them, and code otherwise. So are
# types: those of other projects and those that are not public have no page here.
default_role = "py:obj"
nitpick_ignore_regex = [
    ("py:obj", ".*"),
    ("py:class", r"(ae_multi|collections|keras|numpy|sklearn)\..*"),
    ("py:exc", "NotFittedError"),
]

myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = {"math"}
myst_heading_anchors = 4

autosummary_generate = ["api/index.rst"]
autodoc_default_options = {"member-order": "bysource"}
autodoc_inherit_docstrings = False
autodoc_typehints = "none"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_param = False  # types are plain text, such as "float, default 0.1"
napoleon_use_rtype = False
napoleon_custom_sections = ["Inputs"]

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py",
    "within_subsection_order": "FileNameSortKey",
    "remove_config_comments": True,
    "download_all_examples": False,
    "write_computation_times": False,
    "show_signature": False,
    "capture_repr": (),
    "min_reported_time": 1000,
    "backreferences_dir": None,
}

html_theme = "pydata_sphinx_theme"
html_title = f"ae_multi {release}"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_show_sourcelink = False
html_copy_source = False
html_math_renderer = "mathml"
toc_object_entries_show_parents = "hide"
html_theme_options = {
    "logo": {"text": "ae_multi"},
    "header_links_before_dropdown": 8,
    "navbar_align": "left",
    "navbar_persistent": ["search-button"],
    "navbar_end": ["theme-switcher"],
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {name: [] for name in ("index", "getting_started", "differences")}


def setup(app):
    """Connect what Sphinx and its extensions have no settings for."""
    from sphinx.domains.python import PyObject

    app.add_html_math_renderer("mathml", (inline_math, None), (display_math, None))
    next(f for f in PyObject.doc_field_types if f.name == "variable").label = "Attributes"
    app.connect("config-inited", write_api_pages)
    app.connect("autodoc-skip-member", skip_member)
    app.connect("autodoc-process-bases", public_bases)
    app.connect("autodoc-process-signature", init_signature)
    # Before napoleon, which makes markup of Google's sections, and after it.
    app.connect("autodoc-process-docstring", escape_docstring, priority=400)
    app.connect("autodoc-process-docstring", restore_docstring, priority=600)
    app.connect("doctree-read", resolve_outside)


def write_api_pages(app, config):
    """Write the contents of the API reference from `PUBLIC_API`, and remove pages of others."""
    lines, pages = ["API reference", "=============", ""], {"index"}
    for title, sentence, modules in PUBLIC_API:
        names = [f"{module}.{name}" for module, names in modules.items() for name in names]
        names += ALSO_DOCUMENTED.get(title, ())
        lines += [title, "-" * len(title), "", sentence, "", ".. autosummary::", "   :toctree: ."]
        lines += [f"   :caption: {title}", "   :nosignatures:", ""]
        lines += [*(f"   {name}" for name in names), ""]
        pages.update(names)
    folder = HERE / "api"
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.rst"):
        if path.stem not in pages:
            path.unlink()
    index, text = folder / "index.rst", "\n".join(lines)
    if not index.exists() or index.read_text("utf-8") != text:
        index.write_text(text, "utf-8")


def skip_member(app, what, name, obj, skip, options):
    """Leave out what is inherited from Keras and scikit-learn."""
    function = getattr(obj, "fget", None) or getattr(obj, "__func__", obj)
    module = getattr(function, "__module__", None) or "ae_multi"
    if not module.startswith("ae_multi") or re.fullmatch(r"set_\w+_request", name):
        return True
    return None


def public_bases(app, name, obj, options, bases):
    """Replace private base classes by theirs."""
    public = {name for _, _, modules in PUBLIC_API for names in modules.values() for name in names}
    public |= {name.rpartition(".")[2] for names in ALSO_DOCUMENTED.values() for name in names}
    place = 0
    while place < len(bases):
        base = bases[place]
        if base.__module__.startswith("ae_multi") and base.__name__ not in public:
            bases[place : place + 1] = [each for each in base.__bases__ if each not in bases]
        else:
            place += 1
    bases[:] = [base for base in bases if base is not object] or [object]


def init_signature(app, what, name, obj, options, signature, return_annotation):
    """Give Keras's classes, whose ``__new__`` takes anything, the arguments of ``__init__``."""
    from sphinx.util.inspect import signature as signature_of
    from sphinx.util.inspect import stringify_signature

    if what == "class" and signature == "(*args, **kwargs)":
        found = signature_of(obj.__init__, bound_method=True)
        return stringify_signature(found, show_annotation=False, show_return_annotation=False), None
    return None


def escape_docstring(app, what, name, obj, options, lines):
    """Take a docstring as plain text with backquotes, in which nothing else is markup."""
    if what == "data":
        lines.clear()  # a constant has the docstring of its type
    lines[:] = escaped(lines)


def restore_docstring(app, what, name, obj, options, lines):
    """Correct what napoleon takes for a type: of a property, and of attributes with a comma."""
    if what == "property":
        lines[:] = escaped(inspect.getdoc(obj).splitlines())
    lines[:] = [re.sub(r"^(:ivar \S+,) (\S+:)", r"\1\2", line) for line in lines]


def escaped(lines):
    """Docstring lines as reStructuredText; a paragraph with aligned columns is a literal block."""
    result = []
    for is_blank, group in itertools.groupby(lines, key=lambda line: not line.strip()):
        paragraph = list(group)
        if any(line.lstrip().startswith(">>>") for line in paragraph) or is_blank:
            result += paragraph
        elif any(re.search(r"\S {2,}\S", line) for line in paragraph):
            indent = min(len(line) - len(line.lstrip()) for line in paragraph) * " "
            result += [f"{indent}::", "", *(f"    {line}" for line in paragraph)]
        else:
            result += map(escape_line, paragraph)
    return result


def escape_line(line):
    """Escape what would be markup outside of backquotes; names of classes link to any module."""
    parts = re.split(r"(``.*?``|`.*?`)", line)
    for place in range(0, len(parts), 2):
        part = re.sub(r"(?<!\\)([*|])", r"\\\1", parts[place])
        part = re.sub(r": (\w\.)$", r": \\\1", part)  # no item of a list
        parts[place] = re.sub(r"(?<![\\_])_(?=\W|$)", r"\\_", part)
    return re.sub(r"(?<!`)(?<!Keras's )`([A-Z]\w+)`(?!`)", r"`.\1`", "".join(parts))


def resolve_outside(app, doctree):
    """Lead links to documents in the repository's root to their pages; make others text."""
    from sphinx.addnodes import pending_xref

    source = Path(app.env.doc2path(app.env.docname)).parent
    for node in list(doctree.findall(pending_xref)):
        target = node.get("reftarget", "")
        if node.get("refdomain") == "doc" and Path(target).parent == HERE.parent:
            if Path(target).name in ROOT_DOCUMENTS:
                node["reftarget"] = ROOT_DOCUMENTS[Path(target).name]
            else:
                node.replace_self(node.children)
        elif node.get("reftype") == "myst" and target and (source / target).is_dir():
            node.replace_self(node.children)


def inline_math(writer, node):
    """Write a formula within a line as MathML."""
    write_math(writer, node, as_block=False)


def display_math(writer, node):
    """Write a formula of its own as MathML."""
    write_math(writer, node, as_block=True)


def write_math(writer, node, as_block):
    """Write LaTeX as MathML, which browsers show without a script."""
    from docutils import nodes
    from docutils.utils.math import latex2mathml

    math = latex2mathml.tex2mathml(node.astext(), as_block=as_block)
    writer.body.append(f'<div class="formula">{math}</div>' if as_block else math)
    raise nodes.SkipNode
