"""Loaders of files that processes exchange."""

import json

import numpy as np

from tests.robustness.fuzz.loaders.loader import IMAGES, ROWS, Loader


def _traces():
    from ae_multi.parity.trace import Trace

    entry = {"name": "dense", "layer": "Dense", "terms": 36, "values": IMAGES[:4]}
    text = {**entry, "name": "names", "values": np.array(["a", "b"])}
    trace = Trace({"backend": "jax", "device": "cpu"}, {"forward": [entry], "start": [text] * 3})
    return {"trace": trace.save}


def _load_trace(path):
    from ae_multi.parity.trace import Trace

    trace = Trace.load(path)
    assert isinstance(trace.about, dict)
    for stage, entries in trace.stages.items():
        assert all(isinstance(values, np.ndarray) for values in trace.values(stage))
        assert all(isinstance(entry["name"], str) for entry in entries)


def _trace_files():
    from tests.reference.traces import recorded

    return {
        "whole": recorded("torch").save,
        "without reference": recorded("jax", reference=False).save,
    }


def _load_trace_file(path):
    from ae_multi.parity import TraceFile, compare
    from tests.reference.traces import recorded

    file = TraceFile.load(path)
    for other in (recorded("jax"), *([file] if file.reference else [])):
        report = compare(other, file, names=["known", "loaded"])
        str(report)
        json.dumps(report.to_json())


def _samples():
    from ae_multi.parity.data import hand_over

    return {"samples": lambda path: hand_over(IMAGES, ROWS[:24], None, 0, path)}


def _load_samples(path):
    from ae_multi.parity.data import receive

    samples = receive({"file": str(path)}, "float32")
    assert samples.xs
    assert all(array.ndim for array in samples.xs + samples.ys)


def _npy():
    return {
        "numbers": lambda path: np.save(path, IMAGES),
        "text": lambda path: np.save(path, np.array(["é", "ab"])),
        "booleans": lambda path: np.save(path, np.asfortranarray(IMAGES[0] > 0.5)),
    }


def _load_npy(path):
    from ae_multi.cli.parity import _load

    (array,) = _load([path])
    assert not array.dtype.hasobject
    repr(array)


LOADERS = {
    "npy": Loader(".npy", _npy, _load_npy),
    "traces": Loader(".npz", _traces, _load_trace, share=1.5),
    "trace-files": Loader(".trace", _trace_files, _load_trace_file, share=2.0),
    "samples": Loader(".npz", _samples, _load_samples),
}
