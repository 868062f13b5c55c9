"""Recordings of a parity check: completeness, parallelism and failures."""

import sys
import threading
import time

import pytest

from ae_multi.errors import BackendError, InputError, WorkerError
from ae_multi.parity.launcher import TraceLauncher
from ae_multi.parity.recording import record_all

NAMES = ("torch", "tensorflow", "jax")


class FakeLauncher:
    """Fake `TraceLauncher` whose recordings in ``fails`` fail and those in ``slow`` take 30 s."""

    def __init__(self, fails=(), slow=()):
        self.fails, self.slow = fails, slow
        self.done, self.stopped = [], threading.Event()
        self.now = self.most = 0
        self.lock = threading.Lock()

    def _record(self, what):
        if self.stopped.is_set():
            raise WorkerError("ended")
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.stopped.wait(30 if what in self.slow else 0.05)
        with self.lock:
            self.now -= 1
        if what in self.fails:
            raise WorkerError(f"{what} failed\nfor a reason")
        self.done.append(what)
        return what

    def trace(self, name):
        return self._record(name)

    def trace_with_perturbed(self, name, ulp_perturbed, injected):
        assert injected
        return self._record(name), [self._record("ulp_perturbed")] * ulp_perturbed, "injected"

    def oracle(self, name):
        return self._record(f"{name} oracle"), ["perturbed"]

    def exact(self, name):
        return self._record(f"{name} exact")

    def stop(self):
        self.stopped.set()


def test_all_backends_are_recorded():
    found = record_all(
        FakeLauncher(), NAMES, "jax", {"numpy": False}, ulp_perturbed=2, float64=True
    )
    assert found.traces == {name: name for name in (*NAMES, "numpy")}
    assert (found.oracle, found.perturbed) == ("jax oracle", ["perturbed"])
    assert found.exact == {name: f"{name} exact" for name in ("torch", "tensorflow", "numpy")}
    assert (found.ulp_perturbed, found.injected, found.left_out) == (
        ["ulp_perturbed"] * 2,
        "injected",
        {},
    )


def test_perturbed_runs_are_not_recorded_by_default():
    found = record_all(FakeLauncher(), ("jax",), "jax", {})
    assert found.traces == {"jax": "jax"}
    assert (found.ulp_perturbed, found.injected, found.exact) == ([], None, {})


@pytest.mark.parametrize(("tool", "most"), [(None, 2), ("/bin/nvidia-smi", 1)])
def test_two_recordings_run_at_once_only_without_a_gpu(monkeypatch, tool, most):
    monkeypatch.setattr("shutil.which", lambda name: tool)
    fake = FakeLauncher()
    record_all(fake, NAMES, "jax", {"numpy": False}, float64=True)
    assert fake.most == most


def test_failing_forward_only_backend_is_left_out_unless_requested():
    found = record_all(FakeLauncher(fails=["numpy"]), NAMES, "jax", {"numpy": False})
    assert "numpy" not in found.traces
    assert found.left_out == {"numpy": "cannot run this model (numpy failed)"}
    with pytest.raises(WorkerError, match="numpy failed"):
        record_all(FakeLauncher(fails=["numpy"]), NAMES, "jax", {"numpy": True})


def test_failure_stops_the_other_recordings():
    fake = FakeLauncher(fails=["tensorflow"], slow=["jax"])
    begin = time.monotonic()
    with pytest.raises(WorkerError, match="tensorflow failed"):
        record_all(fake, NAMES, "jax", {"numpy": False})
    assert fake.stopped.is_set()
    assert time.monotonic() - begin < 10


def test_failure_is_raised_before_other_recordings_end():
    fake = FakeLauncher(fails=["tensorflow"], slow=["jax oracle"])
    begin = time.monotonic()
    with pytest.raises(WorkerError, match="tensorflow failed"):
        record_all(fake, NAMES, "jax", {})
    assert time.monotonic() - begin < 10


def test_failure_of_the_first_recording_ends_the_others(tmp_path):
    """The first recording fails before it writes the initial weights that the others wait for."""
    build = tmp_path / "fails.py"
    build.write_text("raise SystemExit('no model')\n")
    waits = tmp_path / "waits"
    waits.write_text(f"#!/bin/sh\nexec {sys.executable} -c 'import time; time.sleep(600)'\n")
    waits.chmod(0o755)
    pythons = {"torch": str(waits), "jax": sys.executable}
    launcher = TraceLauncher(
        f"{build}:f", None, None, (4,), 0, 2, 8, tmp_path, pythons.get, backend={}
    )
    begin = time.monotonic()
    with pytest.raises((WorkerError, InputError, BackendError)):
        record_all(launcher, ("jax", "torch"), "jax", {})
    assert time.monotonic() - begin < 60
