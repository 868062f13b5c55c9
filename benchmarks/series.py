"""Quality of anomaly detection in time series with its defaults: ``nox -s series``.

Every method trains on a normal series of 8,000 timestamps and 8 sensors, and is judged on another
series with three faults of each kind (`benchmarks.series_data`), for three seeds. The threshold of
each method is the 99th percentile of its scores on a third series, a normal one. Faults count as
found if an interval of alarms overlaps them, and intervals as true if they overlap a fault.
"""

import argparse
import statistics
import sys
import time

import numpy as np
from rich.table import Table
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from ae_multi.cli.options import interpreters_of
from ae_multi.cli.status import status_of
from ae_multi.environment import describe_machine
from ae_multi.report.json_file import write_json
from ae_multi.report.tables import console
from benchmarks.command import add_run_options, check_paths, recorded_before
from benchmarks.processes import run
from benchmarks.series_data import KINDS, Plant, is_faulty

SEEDS = (10, 11, 12)  # the defaults were chosen on the plant of seed 0
TIMESTAMPS, WINDOW, STRIDE, COMPONENTS, SMOOTHING = 8000, 64, 8, 32, 9
DETECTORS = ("conv", "deep", "lstm")


def measure(method, seed):
    """Train one method, and return its quality on the series with faults."""
    plant = Plant(seed)
    train, normal = plant.normal(TIMESTAMPS), plant.normal(TIMESTAMPS, 2)
    test, faults = plant.faulty(TIMESTAMPS, each=3)
    begin = time.perf_counter()
    score = _detector(method, train, seed) if method in DETECTORS else BASELINES[method](train)
    seconds = time.perf_counter() - begin
    scores = score(test)
    truth = is_faulty(TIMESTAMPS, faults)
    intervals = _intervals(scores > np.quantile(score(normal), 0.99))
    of_kind = {}
    for kind in KINDS:
        mask = is_faulty(TIMESTAMPS, [fault for fault in faults if fault.kind == kind])
        judged = mask | ~truth
        of_kind[kind] = float(roc_auc_score(mask[judged], scores[judged]))
    overlaps = np.array(
        [[fault.begin < end and begin < fault.end for begin, end in intervals] for fault in faults]
    )
    return {
        "auroc": float(roc_auc_score(truth, scores)),
        "average_precision": float(average_precision_score(truth, scores)),
        "found": statistics.fmean(map(any, overlaps)),
        "true": statistics.fmean(any(column) for column in overlaps.T) if intervals else 0.0,
        "of_kind": of_kind,
        "seconds": seconds,
    }


def _intervals(alarms):
    """Return (begin, end) of alarms that are joined as `TimeSeriesDetector.intervals` does."""
    from ae_multi.estimators.intervals import join

    return [each[:2] for each in join(alarms[:, np.newaxis].astype(float), 0.5, WINDOW // 2)]


def _detector(model, train, seed):
    import ae_multi

    return (
        ae_multi.TimeSeriesDetector(WINDOW, STRIDE, model, random_state=seed)
        .fit(train)
        .anomaly_score
    )


def _pca_window(train):
    """Return the score of PCA on windows: the mean error of the windows of a timestamp."""
    return _pca(train, lambda errors: errors.mean(axis=(1, 2), keepdims=True), smooth=False)


def _pca_timestamp(train):
    """Return the score of PCA on windows, computed from errors as by `TimeSeriesDetector`."""
    return _pca(train, lambda errors: errors, smooth=True)


def _pca(train, reduced, smooth):
    from scipy.ndimage import uniform_filter1d

    scaler = StandardScaler().fit(train)
    pca = PCA(COMPONENTS, random_state=0).fit(_rows(scaler.transform(train)))

    def errors(series):
        rows = _rows(scaler.transform(series))
        squares = np.square(rows - pca.inverse_transform(pca.transform(rows)))
        values = _over_windows(reduced(squares.reshape(len(rows), WINDOW, -1)), len(series))
        return uniform_filter1d(values, SMOOTHING, axis=0, mode="nearest") if smooth else values

    unit = errors(train).mean(axis=0)
    return lambda series: (errors(series) / unit).mean(axis=1)


def _forest(train):
    scaler = StandardScaler().fit(train)
    forest = IsolationForest(random_state=0).fit(_rows(scaler.transform(train)))

    def score(series):
        of_windows = -forest.score_samples(_rows(scaler.transform(series)))
        return _over_windows(of_windows[:, np.newaxis, np.newaxis], len(series))[:, 0]

    return score


def _moving_z(train):
    """Return the largest z-score of the sensors, by mean and deviation of the last window."""
    least = 0.05 * train.std(axis=0)

    def score(series):
        before = np.lib.stride_tricks.sliding_window_view(series[:-1], WINDOW, axis=0)
        z = np.zeros_like(series)
        deviation = np.maximum(before.std(axis=-1), least)
        z[WINDOW:] = (series[WINDOW:] - before.mean(axis=-1)) / deviation
        return np.abs(z).max(axis=1)

    return score


BASELINES = {
    f"PCA-{COMPONENTS}, error of a timestamp": _pca_timestamp,
    f"PCA-{COMPONENTS}, error of a window": _pca_window,
    "isolation forest on windows": _forest,
    "moving z-score": _moving_z,
}
METHODS = (*DETECTORS, *BASELINES)


def _rows(series):
    """Return the windows of a series as rows."""
    from ae_multi.estimators import windows

    cut = windows.cut(series, windows.starts(len(series), WINDOW, STRIDE), WINDOW)
    return cut.reshape(len(cut), -1)


def _over_windows(errors, timestamps):
    """Return the mean over the windows of each timestamp of (windows, 1 or window, sensors)."""
    from ae_multi.estimators import windows

    positions = windows.starts(timestamps, WINDOW, STRIDE)
    errors = np.broadcast_to(errors, (len(errors), WINDOW, errors.shape[2]))
    return windows.mean_over_windows([(positions, errors)], timestamps, errors.shape[2])


def lines(runs):
    """Yield a row of the table for each method, a tuple of strings: means over seeds."""
    for method in METHODS:
        of_method = [each for each in runs if each["method"] == method]
        if of_method:
            names = ("auroc", "average_precision", "found", "true")
            means = (statistics.fmean(each[name] for each in of_method) for name in names)
            kinds = [statistics.fmean(e["of_kind"][kind] for e in of_method) for kind in KINDS]
            seconds = statistics.fmean(each["seconds"] for each in of_method)
            yield method, *(f"{value:.3f}" for value in (*means, *kinds)), f"{seconds:.0f}"


def table(runs):
    """Return a table with a line for each method."""
    result = Table("method", title="Faults in time series", title_justify="left")
    for name in ("AUROC", "average precision", "faults found", "true intervals", *KINDS, "seconds"):
        result.add_column(name, justify="right")
    for cells in lines(runs):
        result.add_row(*cells)
    return result


def main(arguments=None):
    """Run what is missing, print a table, and return the exit status."""
    parser = argparse.ArgumentParser(prog="series", description=__doc__.partition("\n")[0])
    add_run_options(parser, "read recorded runs from this file and add the new ones")
    options = parser.parse_args(arguments)
    return status_of("series", lambda: _measure_all(options))


def _measure_all(options):
    check_paths(options.json)
    interpreters = interpreters_of(options)
    backends = interpreters.available()[0]
    backend = "jax" if "jax" in backends else backends[0]
    recorded = {"machine": describe_machine(), "runs": recorded_before(options.json, "runs")}
    done = {(each["method"], each["seed"]) for each in recorded["runs"]}
    jobs = [(method, seed) for method in METHODS for seed in SEEDS]
    with console(stderr=True).status("starting") as status:
        for method, seed in (job for job in jobs if job not in done):
            status.update(f"{method}, seed {seed}")
            job = {"method": method, "seed": seed}
            result = run(interpreters.python(backend), backend, "series", job, options.device)
            recorded["runs"].append({**job, "backend": backend, **result})
            if options.json:
                write_json(options.json, recorded)
    console().print(table(recorded["runs"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
