"""``ae-multi export``: export a model or an estimator to a format of another runtime."""

import argparse
from pathlib import Path

from ae_multi.cli.options import backend_python
from ae_multi.cli.startup import import_backend
from ae_multi.io import npy
from ae_multi.io.atomic import check_file, check_writable
from ae_multi.report.json_file import write_json
from ae_multi.report.progress import job_progress
from ae_multi.report.tables import console


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "model", type=Path, metavar="FILE", help="saved model (.keras) or saved estimator"
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="PATH",
        help="file to write; a folder for savedmodel",
    )
    parser.add_argument(
        "--format",
        metavar="NAME",
        help="onnx, torch, savedmodel, litert, openvino or stablehlo (default: by the suffix of "
        "PATH)",
    )
    parser.add_argument(
        "--part",
        default="model",
        metavar="NAME",
        help="part to export: model, encoder or decoder (default: model)",
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FILE.npy",
        help="samples on which the file is verified (default: MNIST test images where they fit, "
        "otherwise random values)",
    )
    parser.add_argument(
        "--python",
        type=backend_python,
        action="append",
        default=[],
        metavar="BACKEND=PATH",
        help="Python interpreter of a backend, or of openvino, in another environment; may be "
        "repeated",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")


def run(options: argparse.Namespace) -> int:
    """Export, verify and print the result; return 0."""
    from ae_multi.exporting.formats import FORMATS, chosen

    name = chosen(options.format, options.out)
    if options.json:
        check_writable(options.json, "the JSON")
    data = _load_array(options.data) if options.data else None
    with job_progress(console(stderr=True), "export"):
        import_backend(trains=False)
        from ae_multi.exporting.export import check_place, export

        check_place(options.out, name)
        result = export(
            _load_model(options.model),
            options.out,
            options.format,
            part=options.part,
            data=data,
            pythons=dict(options.python),
        )
    if options.json:
        write_json(options.json, result.to_json())
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    console().print(
        f"{result.path}: {FORMATS[result.format].title}, outputs: "
        f"{', '.join(sorted(result.outputs))}; {result.size:,} bytes\n"
        f"Largest difference from the outputs of the model on {result.samples} samples: "
        f"{result.difference:.1e} (bound {result.bound:g}), with {versions}",
        soft_wrap=True,
    )
    return 0


def _load_model(path):
    """Load a model if the suffix of ``path`` is .keras, otherwise an estimator."""
    if path.suffix == ".keras":
        from ae_multi.models import load_model

        return load_model(path)
    from ae_multi.estimators import load_estimator

    return load_estimator(path)


def _load_array(path):
    """Load the array of an .npy file, without pickle."""
    check_file(path, "samples in an .npy file")
    with open(path, "rb") as file:
        return npy.read(file, path.stat().st_size, str(path), npy.NUMBERS)
