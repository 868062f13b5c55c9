"""Every export format from every backend, and the errors of the files: ``nox -s exports``.

Each model is trained briefly on each backend and exported to every format, by that backend if it
can, otherwise by a process of a backend that can. The runtime of the file then computes the outputs
for 1,000 images of MNIST in one batch, and for the first image alone. They are compared with the
model.
"""

import argparse
import sys

from rich.table import Table

from ae_multi.cli.options import check_names, comma_separated, interpreters_of
from ae_multi.cli.status import status_of
from ae_multi.environment import describe_machine
from ae_multi.report.json_file import write_json
from ae_multi.report.tables import console
from benchmarks.command import add_run_options, check_paths, recorded_before
from benchmarks.exported import MODELS
from benchmarks.processes import run

COLUMNS = ("format", "made on", "model", "bytes", "from torch", "from tensorflow", "from jax")


def main(arguments=None):
    """Run the missing exports, print a table, and return the exit status."""
    options = _parser().parse_args(arguments)
    return status_of("exports", lambda: _export_all(options))


def _export_all(options):
    check_names("--model", options.model, MODELS)
    check_paths(options.json)
    interpreters = interpreters_of(options)
    backends = interpreters.available()[0]
    recorded = {"machine": describe_machine(), "exports": recorded_before(options.json, "exports")}
    done = {(each["backend"], each["model"]) for each in recorded["exports"]}
    # The backends that export, and those that can make the formats of others.
    pythons = {name: interpreters.python(name) for name in (*backends, *interpreters.pythons)}
    with console(stderr=True).status("starting") as status:
        for backend, model in ((b, m) for b in backends for m in options.model):
            if (backend, model) in done:
                continue
            status.update(f"{model} on {backend}")
            others = {name: path for name, path in pythons.items() if name != backend}
            if "jax" in pythons:  # its environment has OpenVINO
                others["openvino"] = pythons["jax"]
            job = {"model": model, "pythons": others}
            for row in run(pythons[backend], backend, "exported", job, options.device):
                recorded["exports"].append({"backend": backend, "model": model, **row})
            if options.json:
                write_json(options.json, recorded)
    console().print(table(recorded["exports"]))
    for text in detector_lines(recorded["exports"]):
        console().print(text)
    return 0


def lines(exports):
    """Yield a row of the table for each format and model, a tuple of strings.

    The size is that of the largest file: files of different backends contain different names.
    """
    by_key = {(each["format"], each["model"], each["backend"]): each for each in exports}
    for name in dict.fromkeys(each["format"] for each in exports):
        for model in MODELS:
            by_backend = {b: e for (f, m, b), e in by_key.items() if (f, m) == (name, model)}
            if by_backend:
                first = next(iter(by_backend.values()))
                yield (
                    name,
                    first["maker"],
                    model,
                    f"{max(each['size'] for each in by_backend.values()):,}",
                    *(
                        f"{by_backend[backend]['difference']:.1e}" if backend in by_backend else ""
                        for backend in ("torch", "tensorflow", "jax")
                    ),
                )


def detector_lines(exports):
    """Yield a line for each backend: AUROC and labels of the detector, compared with its files."""
    detectors = [each for each in exports if each["model"] == "AnomalyDetector"]
    for backend in dict.fromkeys(each["backend"] for each in detectors):
        files = [each for each in detectors if each["backend"] == backend]
        first = files[0]
        equal = sum(each["auroc"] == each["auroc_of_the_file"] for each in files)
        differing = sum(each["labels_that_differ"] for each in files)
        yield (
            f"{backend}: AUROC {first['auroc']:.4f}, the same in {equal} of {len(files)} formats; "
            f"{differing} of {len(files) * first['samples']:,} labels differ"
        )


def table(exports):
    """Return a table with a row for each format and model: size, difference from each backend."""
    result = Table(title="Exported files compared with their models", title_justify="left")
    for number, name in enumerate(COLUMNS):
        result.add_column(name, justify="left" if number < 3 else "right")
    for cells in lines(exports):
        result.add_row(*cells)
    return result


def _parser():
    parser = argparse.ArgumentParser(prog="exports", description=__doc__.partition("\n")[0])
    add_run_options(parser, "read recorded exports from this file and add the new ones")
    parser.add_argument(
        "--model",
        type=comma_separated,
        default=MODELS,
        metavar="NAMES",
        help=f"comma-separated models: {', '.join(MODELS)} (default: all)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
