"""Speed and memory of training on a file in place of an array: ``nox -s sources``.

DeepAutoencoder on images of MNIST, repeated up to ``--samples`` and stored as bytes in an .npy
file, in batches of 128. Each training runs in a process of its own, by the same plan.

    resident   all samples as a float32 array in memory
    global     the same order, read from the file in windows and scaled by the reading thread
    blocks     blocks of adjacent rows in random order, shuffled within the window; the file is
               removed from the page cache of the system before each epoch

The shortest epoch after the first counts. Memory is the peak of the anonymous resident memory of
the process during `fit`, less what it had before the data were read.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

from ae_multi.argument_checks import check_positive
from ae_multi.cli.options import interpreters_of
from ae_multi.cli.status import status_of
from ae_multi.environment import describe_machine
from ae_multi.report.json_file import write_json
from ae_multi.report.tables import console, plain_table
from benchmarks.command import add_run_options, check_paths
from benchmarks.processes import run

MODES = ("resident", "global", "blocks")


def measure(mode, path, epochs=4, window="64 MiB"):
    """Train on the file ``path`` by one of `MODES` on the backend of this process.

    Returns:
        Dict of values for JSON: the environment, ``plan``, ``samples_per_second``, ``megabytes`` of
        peak memory and ``losses``, the mean loss of each epoch.
    """
    import numpy as np

    import ae_multi
    from ae_multi._keras import keras
    from ae_multi.environment import describe_backend
    from benchmarks.networks import network

    class Epochs(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.seconds = []

        def on_epoch_begin(self, epoch, logs=None):
            if mode == "blocks":
                _drop_pages(path)
            self.begin = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self.seconds.append(time.perf_counter() - self.begin)

    model = network("deep", (28, 28, 1))
    before = _anonymous_memory()
    with _Peak() as peak:
        source = ae_multi.source(path, transform=_scaled)
        data = _scaled(np.load(path)) if mode == "resident" else source
        order = {} if mode == "resident" else {"order": mode, "window": window}
        timed = Epochs()
        history = model.fit(
            data, batch_size=128, epochs=epochs, verbose=0, callbacks=[timed], plan=_plan(), **order
        )
    return {
        **describe_backend(),
        "mode": mode,
        "samples": len(source),
        "window": window,
        "plan": history.plan.name,
        "samples_per_second": len(source) / min(timed.seconds[1:]),
        "megabytes": peak.megabytes - before,
        "losses": history.history["loss"],
    }


def _plan():
    from ae_multi._keras import keras

    return {"torch": "graph", "tensorflow": "loop-xla", "jax": "scan"}[keras.config.backend()]


def _scaled(x):
    import numpy as np

    return np.multiply(x, np.float32(1 / 255), dtype=np.float32)


def _drop_pages(path):
    """Remove the pages of a file from the page cache of the system."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def _anonymous_memory():
    """Return the anonymous resident memory of this process, in megabytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("RssAnon"))) / 1024


class _Peak(threading.Thread):
    """Context manager that measures the peak of `_anonymous_memory`."""

    def __init__(self):
        super().__init__(daemon=True)
        self.megabytes, self._ended = 0.0, threading.Event()

    def run(self):
        while not self._ended.wait(0.02):
            self.megabytes = max(self.megabytes, _anonymous_memory())

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        self._ended.set()
        self.join()


def main(arguments=None):
    """Measure every backend and print a table; return the exit status."""
    parser = argparse.ArgumentParser(prog="sources", description=__doc__.partition(":")[0])
    add_run_options(parser, "write the results as JSON")
    parser.add_argument(
        "--samples",
        type=int,
        default=600_000,
        metavar="N",
        help="number of images in the file (default: 600,000)",
    )
    parser.add_argument(
        "--window",
        default="64 MiB",
        metavar="SIZE",
        help="size of the samples that are read at a time (default: 64 MiB)",
    )
    options = parser.parse_args(arguments)
    return status_of("sources", lambda: _measure_all(options))


def _measure_all(options):
    import numpy as np

    from benchmarks.networks import images

    check_positive(samples=options.samples)
    check_paths(options.json)
    interpreters = interpreters_of(options)
    recorded = {"machine": describe_machine(), "results": []}
    progress = console(stderr=True).status("starting")
    with progress as status, tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "images.npy")
        x = np.round(images()[0] * 255).astype(np.uint8)
        np.save(path, x[np.arange(options.samples) % len(x)])
        for backend in interpreters.available()[0]:
            for mode in MODES:
                status.update(f"{backend}: {mode}")
                job = {"mode": mode, "path": path, "window": options.window}
                python = interpreters.python(backend)
                result = run(python, backend, "sources", job, options.device)
                recorded["results"].append(result)
                if options.json:
                    write_json(options.json, recorded)
    table = plain_table("Training on a file, compared with an array in memory")
    for name in ("backend", "plan", "order"):
        table.add_column(name)
    for name in ("samples/s", "of resident", "memory, MB", "same losses"):
        table.add_column(name, justify="right")
    for cells in lines(recorded["results"]):
        table.add_row(*cells)
    console().print(table)
    return 0


def lines(results):
    """Yield the rows of the table as tuples of strings."""
    for result in results:
        resident = next(
            each
            for each in results
            if (each["backend"], each["mode"]) == (result["backend"], "resident")
        )
        yield (
            result["backend"],
            result["plan"],
            result["mode"],
            f"{result['samples_per_second']:,.0f}",
            f"{result['samples_per_second'] / resident['samples_per_second']:.2f}",
            f"{result['megabytes']:,.0f}",
            "yes" if result["losses"] == resident["losses"] else "no",
        )


if __name__ == "__main__":
    sys.exit(main())
