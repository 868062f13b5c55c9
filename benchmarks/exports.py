"""Every format from every backend, and how far the files are off: ``nox -s exports``.

Each model is trained a little on each backend and exported to every format: made there where that
backend can, and otherwise handed over to one that can. The file's own runtime then computes
1,000 images of MNIST, in one batch and the first alone, and is held against the model.
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
    """Export what is missing, print a table, and return the exit status."""
    options = _parser().parse_args(arguments)
    return status_of("exports", lambda: _export_all(options))


def _export_all(options):
    check_names("--model", options.model, MODELS)
    check_paths(options.json)
    interpreters = interpreters_of(options)
    backends = interpreters.available()[0]
    recorded = {"machine": describe_machine(), "exports": recorded_before(options.json, "exports")}
    done = {(each["backend"], each["model"]) for each in recorded["exports"]}
    # Those who export, and those who are handed models over.
    pythons = {name: interpreters.python(name) for name in (*backends, *interpreters.pythons)}
    with console(stderr=True).status("starting") as status:
        for backend, model in ((b, m) for b in backends for m in options.model):
            if (backend, model) in done:
                continue
            status.update(f"{model} on {backend}")
            others = {name: path for name, path in pythons.items() if name != backend}
            if "jax" in pythons:  # which has OpenVINO in its environment
                others["openvino"] = pythons["jax"]
            job = {"model": model, "pythons": others}
            for row in run(pythons[backend], backend, "exported", job, options.device):
                recorded["exports"].append({"backend": backend, "model": model, **row})
            if options.json:
                write_json(options.json, recorded)
    console().print(table(recorded["exports"]))
    for text in judged(recorded["exports"]):
        console().print(text)
    return 0


def lines(exports):
    """What the table says of each format and model, as texts.

    The size is the largest of those that the backends' files have, which differ by names in them.
    """
    found = {(each["format"], each["model"], each["backend"]): each for each in exports}
    for name in dict.fromkeys(each["format"] for each in exports):
        for model in MODELS:
            here = {b: e for (f, m, b), e in found.items() if (f, m) == (name, model)}
            if here:
                one = next(iter(here.values()))
                yield (
                    name,
                    one["maker"],
                    model,
                    f"{max(each['size'] for each in here.values()):,}",
                    *(
                        f"{here[backend]['difference']:.1e}" if backend in here else ""
                        for backend in ("torch", "tensorflow", "jax")
                    ),
                )


def judged(exports):
    """A line for each backend's detector: whether its files find what it finds."""
    detectors = [each for each in exports if each["model"] == "AnomalyDetector"]
    for backend in dict.fromkeys(each["backend"] for each in detectors):
        here = [each for each in detectors if each["backend"] == backend]
        one = here[0]
        equal = sum(each["auroc"] == each["auroc_of_the_file"] for each in here)
        off = sum(each["labels_that_differ"] for each in here)
        yield (
            f"{backend}: AUROC {one['auroc']:.4f}, the same in {equal} of {len(here)} formats; "
            f"{off} of {len(here) * one['samples']:,} labels differ"
        )


def table(exports):
    """A line for each format and model: size, and difference from each backend."""
    made = Table(title="Exported files beside their models", title_justify="left")
    for place, name in enumerate(COLUMNS):
        made.add_column(name, justify="left" if place < 3 else "right")
    for texts in lines(exports):
        made.add_row(*texts)
    return made


def _parser():
    parser = argparse.ArgumentParser(prog="exports", description=__doc__.partition("\n")[0])
    add_run_options(parser, "read exports that are there, write all of them")
    parser.add_argument(
        "--model",
        type=comma_separated,
        default=MODELS,
        metavar="NAMES",
        help=f"some of {', '.join(MODELS)} (default: all)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
