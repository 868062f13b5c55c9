"""Cost of checkpoints: ``nox -s checkpoints``.

DeepAutoencoder on MNIST in batches of 128, at native speed, on each backend. One training writes a
checkpoint after every other epoch. Epochs with and without a checkpoint alternate, so that other
load on the machine affects both equally. An epoch is timed from the end of the previous one: it
includes the copy of the state, and the thread that writes it while the training continues.

    share      relative increase of the time of an epoch with a checkpoint: the median over pairs
    cpu        relative increase of its processor time, which other load affects less
    copy       seconds that the training waits for the copy of its state
    write      seconds until a checkpoint is on the disk
    restore    seconds of a `fit` whose training has already ended: build, transfer of the data to
               the device and their digest, checkpoint read and restored; all but imports
"""

import argparse

from ae_multi.cli.options import interpreters_of
from ae_multi.cli.status import status_of
from ae_multi.environment import describe_machine
from ae_multi.report.json_file import write_json
from ae_multi.report.tables import console, plain_table
from benchmarks.command import add_run_options, check_paths
from benchmarks.processes import run

_COLUMNS = {
    "epoch_seconds": ("epoch, s", ".3f"),
    "share": ("share", ".2%"),
    "cpu_share": ("cpu", ".2%"),
    "copy_seconds": ("copy, s", ".4f"),
    "write_seconds": ("write, s", ".4f"),
    "restore_seconds": ("restore, s", ".2f"),
}


def main(arguments=None):
    """Measure every backend and print a table; return the exit status."""
    parser = argparse.ArgumentParser(prog="checkpoints", description=__doc__.partition("\n")[0])
    add_run_options(parser, "write the results as JSON")
    parser.add_argument(
        "--pairs",
        type=int,
        default=20,
        metavar="N",
        help="pairs of epochs with and without a checkpoint (default: 20)",
    )
    options = parser.parse_args(arguments)
    return status_of("checkpoints", lambda: _measure_all(options))


def _measure_all(options):
    check_paths(options.json)
    interpreters = interpreters_of(options)
    recorded = {"machine": describe_machine(), "results": []}
    with console(stderr=True).status("starting") as status:
        for backend in interpreters.available()[0]:
            status.update(backend)
            job, python = {"pairs": options.pairs}, interpreters.python(backend)
            result = run(python, backend, "checkpoints", job, options.device)
            recorded["results"].append(result)
            if options.json:
                write_json(options.json, recorded)
    console().print(_table(recorded["results"]))
    return 0


def measure(pairs):
    """Measure the cost of checkpoints on the backend of this process.

    Args:
        pairs: pairs of epochs with and without a checkpoint.

    Returns:
        Dict of values for JSON: the environment, medians in seconds, ``share`` and ``cpu_share``,
        and the times of all pairs.
    """
    import itertools
    import statistics
    import tempfile
    import time
    from pathlib import Path

    import numpy as np

    from ae_multi._keras import keras
    from ae_multi.checkpoints import Folder, state
    from ae_multi.environment import describe_backend
    from benchmarks.networks import images, network

    x, data = images()
    x = x.copy()
    stamps, writes, write = [], [], Folder.write

    class Stamps(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            stamps.append((time.perf_counter(), time.process_time()))

    def timed_write(*arguments):
        begin = time.perf_counter()
        write(*arguments)
        writes.append(time.perf_counter() - begin)

    def fit(folder):
        model = network("deep", x.shape[1:])
        begin = time.perf_counter()
        history = model.fit(
            x,
            batch_size=128,
            epochs=2 * pairs + 2,
            verbose=0,
            callbacks=[Stamps()],
            checkpoint=folder,
            checkpoint_every="2 epochs",
            resume=True,
        )
        return model, history, time.perf_counter() - begin

    Folder.write = timed_write
    with tempfile.TemporaryDirectory() as root:
        model, history, _ = fit(Path(root) / "saved")
        size = max(path.stat().st_size for path in Path(root).rglob("*.checkpoint"))
        restores = [fit(Path(root) / "saved")[2] for _ in range(3)]
    # Checkpoints are taken after epochs 2, 4, ..., so that epochs 3, 5, ... include their cost. The
    # first epoch includes compilation and has no stamp before it.
    times = [np.subtract(after, before) for before, after in itertools.pairwise(stamps)]
    both = np.stack([times[1::2], times[0:-1:2]])  # (with and without, pairs, clock and cpu)
    share, cpu_share = np.median(both[0] / both[1], axis=0) - 1
    return {
        "backend": keras.config.backend(),
        **describe_backend(),
        "data": data,
        "plan": history.plan.name,
        "epoch_seconds": float(np.median(both[1, :, 0])),
        "share": float(share),
        "cpu_share": float(cpu_share),
        "pairs": both[..., 0].T.tolist(),
        "cpu_pairs": both[..., 1].T.tolist(),
        "bytes": size,
        "copy_seconds": _median(lambda: state.get_state(model, [history])),
        "write_seconds": statistics.median(writes),
        "restore_seconds": statistics.median(restores),
    }


def _median(function):
    import statistics
    import time

    seconds = []
    for _ in range(20):
        begin = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def _table(results):
    table = plain_table("Cost of a checkpoint after each epoch")
    table.add_column("backend")
    for name, _ in _COLUMNS.values():
        table.add_column(name, justify="right")
    for result in results:
        numbers = [format(result[key], form) for key, (_, form) in _COLUMNS.items()]
        table.add_row(result["backend"], *numbers)
    return table


if __name__ == "__main__":
    raise SystemExit(main())
