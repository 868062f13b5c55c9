"""Files of traces: round trips, and files that are refused."""

import numpy as np
import pytest

from ae_multi.errors import InputError
from ae_multi.parity.trace import Trace


@pytest.fixture
def trace():
    numbers = np.random.default_rng(0)
    stages = {
        stage: [
            {"name": f"entry {place}", "layer": "Dense", "terms": 4, "values": numbers.random(6)}
            for place in range(2)
        ]
        for stage in ("start", "forward", "gradient")
    }
    return Trace({"model": "m", "data": "d", "seed": 0, "not_comparable": []}, stages)


def test_a_trace_without_one_of_its_arrays_is_refused(trace, tmp_path):
    path = tmp_path / "trace.npz"
    trace.save(path)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    del arrays["a5"]
    np.savez(path, **arrays)
    with pytest.raises(InputError, match="to hold the array 'a5'"):
        Trace.load(path)


def test_a_trace_is_saved_and_loaded(trace, tmp_path):
    path = tmp_path / "trace.npz"
    trace.save(path)
    again = Trace.load(path)
    assert again.about == trace.about
    for stage, entries in trace.stages.items():
        for before, after in zip(entries, again.stages[stage], strict=True):
            np.testing.assert_array_equal(before.pop("values"), after.pop("values"))
            assert before == after


def test_a_damaged_trace_is_refused(trace, tmp_path):
    path = tmp_path / "trace.npz"
    trace.save(path)
    complete = path.read_bytes()
    for data in (b"", b"nonsense", complete[: len(complete) // 2], complete[:-30]):
        path.write_bytes(data)
        with pytest.raises(InputError, match="to be a complete zip archive"):
            Trace.load(path)
    np.savez(path, a=np.zeros(3))
    with pytest.raises(InputError, match="to hold the array 'head'"):
        Trace.load(path)


def test_a_trace_of_another_format_is_refused(trace, tmp_path, monkeypatch):
    path = tmp_path / "trace.npz"
    monkeypatch.setattr("ae_multi.parity.trace.FORMAT", 99)
    trace.save(path)
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"format 1\. Received: .* of format 99"):
        Trace.load(path)
