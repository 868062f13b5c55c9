"""Files of recorded traces."""

import json
import math
import pickle
import zipfile

import numpy as np
import pytest

from ae_multi.errors import InputError
from ae_multi.parity import TraceFile
from tests.reference.traces import recorded


def test_saved_file_loads_unchanged(tmp_path):
    file = recorded("torch")
    file.reference.stages["gradient"][0] |= {"moved": math.inf, "scale": 0.5, "each": True}
    file.save(tmp_path / "one.trace")
    again = TraceFile.load(tmp_path / "one.trace")
    assert again.model == file.model
    for before, after in ((file.trace, again.trace), (file.reference, again.reference)):
        assert before.about == after.about
        assert list(before.stages) == list(after.stages)
        for stage, entries in before.stages.items():
            for one, other in zip(entries, after.stages[stage], strict=True):
                np.testing.assert_array_equal(one["values"], other["values"])
                assert one["values"].dtype == other["values"].dtype
                assert {**one, "values": 0} == {**other, "values": 0}


def test_file_without_reference_loads(tmp_path):
    recorded("torch", reference=False).save(tmp_path / "one.trace")
    assert TraceFile.load(tmp_path / "one.trace").reference is None


def test_missing_or_damaged_file_is_refused(tmp_path):
    path = tmp_path / "one.trace"
    with pytest.raises(InputError, match="the trace file"):
        TraceFile.load(path)
    recorded("torch").save(path)
    complete = path.read_bytes()
    for content in (b"", b"nonsense", complete[: len(complete) // 2], complete[:-30]):
        path.write_bytes(content)
        with pytest.raises(InputError, match="Expected"):
            TraceFile.load(path)
    np.savez(path.with_suffix(".npz"), head=np.frombuffer(b"{}", np.uint8))
    with pytest.raises(InputError, match="a file of `ae-multi parity record`"):
        TraceFile.load(path.with_suffix(".npz"))


def test_file_of_another_format_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("ae_multi.parity.trace_file.FORMAT", 99)
    recorded("torch").save(tmp_path / "one.trace")
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"of format 1\. Received: .* of format 99"):
        TraceFile.load(tmp_path / "one.trace")


def rewrite(path, change):
    """Apply ``change``, a function that changes a dict in place, to the head of a file."""
    with np.load(path) as file:
        arrays = dict(file)
    head = json.loads(arrays.pop("head").tobytes())
    change(head)
    content = np.frombuffer(json.dumps(head).encode(), np.uint8)
    with open(path, "wb") as out:
        np.savez(out, head=content, **arrays)


@pytest.mark.parametrize(
    "change",
    [
        lambda head: head.update(trace=None),
        lambda head: head.update(model=3),
        lambda head: head.update(reference=[]),
        lambda head: head["trace"]["about"].pop("seed"),
        lambda head: head["trace"]["about"].update(seed="0"),
        lambda head: head["trace"]["about"].update(not_comparable=[1]),
        lambda head: head["trace"].update(stages={"start": [1]}),
        lambda head: head["reference"]["stages"]["start"][0].update(shape="2"),
        lambda head: head["reference"]["stages"]["start"][0].update(moved="much"),
        lambda head: head["trace"]["stages"]["start"][0].update(values="none"),
    ],
)
def test_altered_head_is_refused(tmp_path, change):
    path = tmp_path / "one.trace"
    recorded("torch").save(path)
    rewrite(path, change)
    with pytest.raises(InputError, match="Expected"):
        TraceFile.load(path)


class Attack:
    """Object that creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_pickled_array_is_refused_and_not_executed(tmp_path):
    path, mark = tmp_path / "one.trace", tmp_path / "executed"
    recorded("torch").save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    np.save(tmp_path / "a.npy", np.array([Attack(str(mark))], object), allow_pickle=True)
    parts["a0.npy"] = (tmp_path / "a.npy").read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match="Expected"):
        TraceFile.load(path)
    path.write_bytes(pickle.dumps(Attack(str(mark))))
    with pytest.raises(InputError, match="Expected"):
        TraceFile.load(path)
    assert not mark.exists()
