"""All measurements that need a GPU, in one run: ``python -m benchmarks.gpu --out FOLDER``.

In less than ten minutes, for each backend of this environment and each model:

    parity        the stages of ``ae-multi parity``, all backends together
    steps         microseconds per training step (`benchmarks.steps`)
    throughput    samples per second, compared with Keras and hand-written loops
                  (`benchmarks.throughput`)

Each part has a share of the time. Measurements that do not fit are left out, and the result lists
them.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ae_multi.argument_checks import check_positive
from ae_multi.cli.options import add_backend_options, check_names, comma_separated, interpreters_of
from ae_multi.cli.status import status_of
from ae_multi.environment import describe_machine
from ae_multi.errors import InputError, WorkerError
from ae_multi.io import json
from ae_multi.report.json_file import write_json
from benchmarks.processes import run

# The fraction of the time at which each part ends; the next part gets the time that remains.
PARTS = {"parity": 0.25, "steps": 0.6, "throughput": 1.0}
# The model of the recorded results comes first.
MODELS = {"deep": "DeepAutoencoder", "simple": "SimpleAutoencoder", "conv": "ConvAutoencoder"}
_SECONDS = 540
_QUICK = {
    "steps": {"steps": 3, "repeats": 1},
    "throughput": {"samples": 256, "repeats": 1},
    "parity": ["--steps=2", "--batch-size=16"],
}
_FULL = {
    "steps": {"steps": 468, "repeats": 5},
    "throughput": {"samples": None, "repeats": 3},
    "parity": ["--steps=20"],
}


def main(arguments=None):
    """Measure, write ``gpu.json`` after each measurement, and return the exit status."""
    options = _parser().parse_args(arguments)
    return status_of("gpu", lambda: measure_all(options))


def measure_all(options):
    """Run all parts within the time; return 0, or 1 if a measurement failed."""
    check_names("--models", options.models, MODELS)
    check_names("--parts", options.parts, PARTS)
    check_positive(seconds=options.seconds)
    if not options.out.is_dir():
        raise InputError(f"Expected a folder for the results. Received: {options.out}.")
    interpreters = interpreters_of(options)
    backends = interpreters.available()[0]
    recorded = {"machine": describe_machine(), "results": [], "left_out": []}
    begin = time.monotonic()
    for part in options.parts:
        end = begin + PARTS[part] * options.seconds
        for model in options.models:
            # A parity check runs all backends at once.
            for names in [backends] if part == "parity" else [(name,) for name in backends]:
                job = {"part": part, "model": model, "backends": list(names)}
                print(f"{time.monotonic() - begin:4.0f} s", *job.values(), flush=True)
                try:
                    result = _measure(
                        part, model, names, interpreters, options, end - time.monotonic()
                    )
                    recorded["results"].append({**job, **result})
                except subprocess.TimeoutExpired:
                    recorded["left_out"].append({**job, "why": "no time left"})
                except WorkerError as error:
                    recorded["left_out"].append({**job, "why": str(error)})
                recorded["seconds"] = time.monotonic() - begin
                write_json(options.out / "gpu.json", recorded)
    for job in recorded["left_out"]:
        print("left out:", *job.values())
    return int(any(job["why"] != "no time left" for job in recorded["left_out"]))


def _measure(part, model, backends, interpreters, options, seconds):
    """Return the result of one part for one model, values for JSON, within ``seconds``.

    Raises:
        subprocess.TimeoutExpired: the time is over.
        WorkerError: the measurement failed.
    """
    if seconds <= 0:
        raise subprocess.TimeoutExpired(part, seconds)
    sizes = (_QUICK if options.quick else _FULL)[part]
    if part == "parity":
        return _parity(MODELS[model], backends, interpreters, sizes, options.device, seconds)
    job = {"model": model, **sizes}
    if part == "throughput":
        job["batch_size"] = 128
    (backend,) = backends
    return run(interpreters.python(backend), backend, part, job, options.device, timeout=seconds)


def _parity(name, backends, interpreters, sizes, device, seconds):
    """Return the report of ``ae-multi parity``."""
    hidden = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"} if device == "cpu" else {}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "parity.json"
        command = [sys.executable, "-m", "ae_multi", "parity", f"ae_multi.models:{name}"]
        command += [f"--python={backend}={interpreters.python(backend)}" for backend in backends]
        command += [f"--backends={','.join(backends)}", "--data=auto", f"--json={out}", *sizes]
        done = subprocess.run(
            command,
            env={**os.environ, **hidden},
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        if not out.exists():
            raise WorkerError(done.stderr.strip()[-2000:])
        return json.read(out, "the report")


def _parser():
    parser = argparse.ArgumentParser(prog="gpu", description=__doc__.partition(":")[0])
    add_backend_options(parser)
    parser.add_argument(
        "--device", choices=["cpu", "gpu"], help="device (default: a GPU if there is one)"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="existing folder for gpu.json"
    )
    parser.add_argument(
        "--models",
        type=comma_separated,
        default=tuple(MODELS),
        metavar="NAMES",
        help=f"comma-separated models: {', '.join(MODELS)} (default: all)",
    )
    parser.add_argument(
        "--parts",
        type=comma_separated,
        default=tuple(PARTS),
        metavar="NAMES",
        help=f"comma-separated parts: {', '.join(PARTS)} (default: all)",
    )
    parser.add_argument(
        "--seconds",
        type=int,
        default=_SECONDS,
        metavar="N",
        help=f"time for all measurements (default: {_SECONDS})",
    )
    parser.add_argument("--quick", action="store_true", help="use tiny sizes, to test the command")
    return parser


if __name__ == "__main__":
    sys.exit(main())
