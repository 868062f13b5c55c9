"""Child processes: events, errors, and their end with the parent process."""

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from ae_multi.errors import BackendError, InputError
from ae_multi.subprocesses.launcher import WorkerError, run

CHILD = "ae_multi.subprocesses.worker"


@pytest.fixture
def make_interpreter(tmp_path):
    """Return a function that returns an interpreter which runs a script instead of the worker."""

    def make(script):
        (tmp_path / "script.py").write_text(script)
        path = tmp_path / "python"
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tmp_path}/script.py"\n')
        path.chmod(0o755)
        return str(path)

    return make


@pytest.mark.parametrize("python", ["/nowhere/python", "/"])
def test_missing_interpreter_is_refused(python):
    with pytest.raises(InputError, match=f"interpreter that can be run. Received: {python} "):
        list(run(python, "jax", {}))


def test_events_are_yielded_unchanged(make_interpreter):
    python = make_interpreter(
        "import json, os, sys; job = json.loads(sys.stdin.readline())\n"
        "print(json.dumps({'event': 'a', 'job': job, 'backend': os.environ['KERAS_BACKEND']}))\n"
        'print(\'{"event": "end"}\')\n'
    )
    assert list(run(python, "jax", {"x": 1})) == [{"event": "a", "job": {"x": 1}, "backend": "jax"}]


def test_derived_errors_of_a_child_are_raised_as_their_base_class(tmp_path, monkeypatch):
    (tmp_path / "failing_job.py").write_text(
        "from ae_multi.errors import InputError\n"
        "class Derived(InputError): pass\n"
        "def fail(job, emit): raise Derived('Expected 1. Received: 2.')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), os.pathsep)
    with pytest.raises(InputError, match=r"^Expected 1\. Received: 2\.$"):
        list(run(sys.executable, "jax", {"run": "failing_job:fail"}))


@pytest.mark.parametrize(("setting", "expected"), [(None, "3"), ("5", "5")])
def test_omp_num_threads_of_the_environment_takes_precedence(
    make_interpreter, monkeypatch, setting, expected
):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if setting:
        monkeypatch.setenv("OMP_NUM_THREADS", setting)
    python = make_interpreter(
        "import json, os; threads = os.environ['OMP_NUM_THREADS']\n"
        "print(json.dumps({'event': 'a', 'threads': threads}))\n"
        'print(\'{"event": "end"}\')\n'
    )
    assert list(run(python, "jax", {}, threads=3)) == [{"event": "a", "threads": expected}]


def test_crash_is_reported_with_its_stderr(make_interpreter):
    python = make_interpreter("import sys; print('the cause', file=sys.stderr); sys.exit(7)")
    with pytest.raises(WorkerError, match=r"jax process ended with status 7[\s\S]*the cause"):
        list(run(python, "jax", {}))


def test_killed_child_is_reported(make_interpreter):
    python = make_interpreter("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(WorkerError, match="status -9"):
        list(run(python, "jax", {}))


def test_errors_of_the_child_are_raised(make_interpreter):
    python = make_interpreter(
        'print(\'{"event": "error", "kind": "BackendError", "message": "no jax"}\', flush=True)'
    )
    with pytest.raises(BackendError, match="no jax"):
        list(run(python, "jax", {}))


@pytest.mark.slow
@pytest.mark.backend
def test_child_imports_only_what_it_needs(backend):
    (start,) = run(sys.executable, backend, {"run": "tests.reference.start:report"})
    assert start["backend"] == backend
    assert start["imported"] == []
    assert start["found"] == ["matplotlib", "pandas", "sklearn"]


def test_child_cannot_start_children(make_interpreter, monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", SimpleNamespace(name=CHILD))
    with pytest.raises(InputError, match="starts a comparison as it is imported"):
        list(run(make_interpreter("raise SystemExit(3)"), "jax", {}))


def test_environment_without_the_package_is_reported(tmp_path):
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -E "$@"\n')
    python.chmod(0o755)
    with pytest.raises(WorkerError, match="No module named"):
        list(run(str(python), "jax", {"run": "ae_multi.environment:emit_backend"}))


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return not state.stdout.strip().startswith("Z")


def has_ended(pid, within=10):
    """Wait up to ``within`` seconds for the end of the process; return whether it has ended."""
    end = time.monotonic() + within
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not is_alive(pid)


def test_closing_the_generator_ends_the_child(make_interpreter):
    python = make_interpreter(
        "import json, os, sys, time\n"
        "print(json.dumps({'event': 'pid', 'pid': os.getpid()}), flush=True)\n"
        "sys.stdin.read()\n"
    )
    events = run(python, "jax", {})
    pid = next(events)["pid"]
    assert is_alive(pid)
    events.close()
    assert has_ended(pid)


PARENT = """
import sys
from ae_multi.subprocesses.launcher import run
for event in run(sys.argv[1], "numpy", {"run": "busy:busy"}):
    print(event["pid"], flush=True)
"""

# A worker that runs a job without end.
BUSY = """
import os, sys, types
from ae_multi.subprocesses import worker
def busy(job, emit):
    emit({"event": "pid", "pid": os.getpid()})
    while True:
        sum(range(1000))
sys.modules["busy"] = types.ModuleType("busy")
sys.modules["busy"].busy = busy
worker.main()
"""


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_child_ends_with_its_parent(make_interpreter, signal_number):
    python = make_interpreter(BUSY)
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, python],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    pid = int(parent.stdout.readline())
    assert is_alive(pid)
    parent.send_signal(signal_number)
    parent.wait(timeout=30)
    parent.stdout.close()
    assert has_ended(pid)


def test_child_ignores_ctrl_c(make_interpreter):
    python = make_interpreter(BUSY)
    events = run(python, "numpy", {"run": "busy:busy"})
    pid = next(events)["pid"]
    os.kill(pid, signal.SIGINT)
    time.sleep(0.3)
    assert is_alive(pid)
    events.close()
    assert has_ended(pid)
