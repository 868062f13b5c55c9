"""``ae-multi export``: a model or an estimator in a format that others run."""

from pathlib import Path

from ae_multi.cli.options import backend_python
from ae_multi.cli.startup import import_backend
from ae_multi.io import npy
from ae_multi.io.atomic import check_file, check_writable
from ae_multi.report.json_file import write_json
from ae_multi.report.progress import job_progress
from ae_multi.report.tables import console


def add_options(parser):
    """What can be asked for."""
    parser.add_argument(
        "model", type=Path, metavar="FILE", help="a model (.keras), or an estimator that was saved"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="PATH", help="where it goes")
    parser.add_argument(
        "--format",
        metavar="NAME",
        help="onnx, torch, savedmodel, litert, openvino or stablehlo (default: by the name of "
        "PATH)",
    )
    parser.add_argument(
        "--part", default="model", metavar="NAME", help="model (default), encoder or decoder"
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FILE.npy",
        help="samples to compare on (default: images of MNIST where they fit, or random ones)",
    )
    parser.add_argument(
        "--python",
        type=backend_python,
        action="append",
        default=[],
        metavar="BACKEND=PATH",
        help="the interpreter of a backend, or of openvino, that lives in an environment of its "
        "own; repeatable",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was found as JSON")


def run(options):
    """Export, and say what was found; return 0."""
    from ae_multi.exporting.formats import FORMATS, chosen

    name = chosen(options.format, options.out)
    if options.json:
        check_writable(options.json, "the JSON")
    data = _array(options.data) if options.data else None
    with job_progress(console(stderr=True), "export"):
        import_backend(trains=False)
        from ae_multi.exporting.export import check_place, export

        check_place(options.out, name)
        made = export(
            _model(options.model),
            options.out,
            options.format,
            part=options.part,
            data=data,
            pythons=dict(options.python),
        )
    if options.json:
        write_json(options.json, made.to_json())
    versions = ", ".join(f"{name} {version}" for name, version in made.versions.items())
    console().print(
        f"{made.path}: {FORMATS[made.format].title}, {', '.join(sorted(made.outputs))}; "
        f"{made.size:,} bytes\nWithin {made.difference:.1e} of the model on {made.samples} "
        f"samples (bound {made.bound:g}), by {versions}",
        soft_wrap=True,
    )
    return 0


def _model(path):
    """What was saved at ``path``, a model by its suffix or else an estimator."""
    if path.suffix == ".keras":
        from ae_multi.models import load_model

        return load_model(path)
    from ae_multi.estimators import load_estimator

    return load_estimator(path)


def _array(path):
    """The array in an .npy file, never unpickled."""
    check_file(path, "samples in an .npy file")
    with open(path, "rb") as file:
        return npy.read(file, path.stat().st_size, str(path), npy.NUMBERS)
