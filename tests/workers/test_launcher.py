"""The launcher of workers, with scripts in place of trainings."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from ae_multi.errors import InputError, WorkerError
from ae_multi.workers.cores import cores_of_workers
from ae_multi.workers.launcher import launch
from tests.subprocesses.test_launcher import has_ended, is_alive

# Stand-in for a training: it writes its variables and process, then does what its worker should.
WORKER = """
import json, os, signal, sys, time
from pathlib import Path
from ae_multi.workers.launched import beat, end_with_launcher, finish, refuse_restart
end_with_launcher()
folder, attempt, rank = Path(sys.argv[1]), sys.argv[2], os.environ["RANK"]
if rank != "0":
    time.sleep(0.1)  # the launcher has set the cores
names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "OMP_NUM_THREADS")
found = {"pid": os.getpid(), "cores": sorted(os.sched_getaffinity(0))}
temporary = folder / f"temporary-{rank}"
temporary.write_text(json.dumps({**found, **{name: os.environ.get(name) for name in names}}))
temporary.rename(folder / f"{attempt}-{rank}")
def act(what):
    if what == "wait":
        while True:
            beat()
            time.sleep(0.02)
    elif what == "hang":
        time.sleep(120)
    elif what == "finish":
        finish()
        time.sleep(4)
    elif what == "clean up":
        try:
            time.sleep(120)
        finally:
            (folder / f"cleaned-{rank}").touch()
    elif what == "ignore signals":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(120)
    elif what.startswith("signal"):
        os.kill(os.getpid(), int(what.split()[1]))
    elif what == "refuse restart":
        refuse_restart()
        sys.exit(1)
    elif what.startswith("exit"):
        print("the cause", flush=True)
        sys.exit(int(what.split()[1]))
signal.signal(signal.SIGTERM, lambda *event: sys.exit(130))
act(json.loads(sys.argv[3]).get(f"{attempt}-{rank}", "end"))
"""


@pytest.fixture
def start(tmp_path):
    """Return a function that launches workers, which do what ``actions`` says.

    An action belongs to a worker's key, "ATTEMPT-RANK"; without one the worker ends at once.
    """
    (tmp_path / "worker.py").write_text(WORKER)

    def run(workers, actions=None, **arguments):
        lines = []

        def command(attempt):
            words = [str(tmp_path), str(attempt), json.dumps(actions or {})]
            return [sys.executable, str(tmp_path / "worker.py"), *words]

        try:
            return launch(command, workers, warn=lines.append, **arguments), lines
        except WorkerError as error:
            return error, lines

    return run


def worker(folder, key):
    """Return what a worker has written, and wait for it."""
    end = time.monotonic() + 20
    while not (folder / key).exists() and time.monotonic() < end:
        time.sleep(0.02)
    return json.loads((folder / key).read_text())


def test_workers_get_rank_and_address_of_one_group(start, tmp_path, monkeypatch):
    for name in ("OMP_NUM_THREADS", "RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert start(3) == (0, [])
    found = [worker(tmp_path, f"0-{rank}") for rank in range(3)]
    assert [each["RANK"] for each in found] == [each["LOCAL_RANK"] for each in found]
    assert [each["RANK"] for each in found] == ["0", "1", "2"]
    assert {each["WORLD_SIZE"] for each in found} == {"3"}
    assert {each["MASTER_ADDR"] for each in found} == {"127.0.0.1"}
    (port,) = {each["MASTER_PORT"] for each in found}
    assert 1024 <= int(port) < 65536
    share = max(1, len(os.sched_getaffinity(0)) // 3)
    assert {each["OMP_NUM_THREADS"] for each in found} == {str(share)}


def test_number_of_threads_of_the_user_takes_precedence(start, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert start(2)[0] == 0
    assert worker(tmp_path, "0-1")["OMP_NUM_THREADS"] == "7"


def test_workers_run_on_cores_of_their_own(start, tmp_path):
    start(2)
    assert worker(tmp_path, "0-1")["cores"] == sorted(cores_of_workers(2)[1])


@pytest.mark.parametrize("workers", [1, 2, 3, 5])
def test_cores_are_divided_evenly(workers, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {2, 3, 5, 7})
    shares = cores_of_workers(workers)
    assert len(shares) == workers
    assert {len(share) for share in shares} == {max(1, 4 // workers)}
    used = [core for share in shares for core in share]
    assert set(used) <= {2, 3, 5, 7}
    assert len(set(used)) == min(len(used), 4)


def test_threads_of_a_core_belong_to_one_worker(monkeypatch, tmp_path):
    for core in range(8):
        folder = tmp_path / f"cpu{core}" / "topology"
        folder.mkdir(parents=True)
        (folder / "physical_package_id").write_text("0\n")
        (folder / "core_id").write_text(f"{core % 4}\n")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    monkeypatch.setattr("ae_multi.workers.cores._TOPOLOGY", tmp_path)
    assert cores_of_workers(2) == [[0, 4, 1, 5], [2, 6, 3, 7]]


def test_all_workers_restart_after_sigkill(start, tmp_path):
    status, lines = start(2, {"0-0": "wait", "0-1": "signal 9"}, restarts=3)
    assert status == 0
    assert lines == ["worker 1 was ended by SIGKILL; restart 1 of 3"]
    assert not is_alive(worker(tmp_path, "0-0")["pid"])
    first, second = (worker(tmp_path, f"{attempt}-0") for attempt in range(2))
    assert first["MASTER_PORT"] != second["MASTER_PORT"]
    assert not (tmp_path / "2-0").exists()


def test_each_restart_is_reported_with_its_cause(start, tmp_path):
    actions = {"0-1": "exit 7", "1-0": "signal 11", "0-0": "wait", "1-1": "wait"}
    assert start(2, actions, restarts=2) == (
        0,
        [
            "worker 1 ended with status 7; restart 1 of 2",
            "worker 0 was ended by SIGSEGV; restart 2 of 2",
        ],
    )


def test_error_after_the_last_restart_has_the_output_of_the_worker(start, tmp_path):
    actions = {"0-1": "exit 7", "1-1": "exit 7", "0-0": "wait", "1-0": "wait"}
    error, lines = start(2, actions, restarts=1)
    assert lines == ["worker 1 ended with status 7; restart 1 of 1"]
    assert str(error) == (
        "Expected 2 workers that finish. Received: worker 1 ended with status 7 after 1 restart. "
        "The end of its output:\n    the cause"
    )
    assert not is_alive(worker(tmp_path, "1-0")["pid"])


def test_output_of_worker_0_alone_is_printed(start, capfd):
    error, _ = start(2, {"0-0": "exit 3", "0-1": "wait"})
    assert "worker 0 ended with status 3" in str(error)
    assert "output" not in str(error)
    assert capfd.readouterr().out == "the cause\n"


def test_worker_that_hangs_is_found_by_the_timeout(start, tmp_path):
    begin = time.monotonic()
    status, lines = start(2, {"0-0": "wait", "0-1": "hang"}, restarts=1, timeout=3)
    assert (status, lines) == (0, ["worker 1 made no progress for 3 s; restart 1 of 1"])
    assert time.monotonic() - begin < 15
    assert not is_alive(worker(tmp_path, "0-1")["pid"])


def test_stopped_process_is_found_by_the_timeout(start, tmp_path):
    actions = {"0-0": "wait", "0-1": f"signal {int(signal.SIGSTOP)}"}
    status, lines = start(2, actions, restarts=1, timeout=3)
    assert (status, lines) == (0, ["worker 1 made no progress for 3 s; restart 1 of 1"])
    assert not is_alive(worker(tmp_path, "0-1")["pid"])


def test_timeout_does_not_apply_to_a_finished_worker(start):
    assert start(1, {"0-0": "finish"}, timeout=3) == (0, [])


def test_usage_error_is_not_repeated(start, tmp_path):
    actions = {"0-0": "exit 2", "0-1": "exit 2"}
    assert start(2, actions, restarts=3) == (2, [])
    assert not (tmp_path / "1-0").exists()


def test_error_that_a_restart_would_repeat_is_not_repeated(start, tmp_path):
    actions = {"0-0": "refuse restart", "0-1": "refuse restart"}
    assert start(2, actions, restarts=3) == (1, [])
    assert not (tmp_path / "1-0").exists()


def test_usage_error_of_another_worker_is_shown(start):
    error, lines = start(2, {"0-1": "exit 2"}, restarts=3)
    assert not lines
    assert "worker 1 ended with status 2. The end of its output:\n    the cause" in str(error)


@pytest.mark.parametrize("arguments", [{"workers": 0}, {"restarts": -1}, {"timeout": 0.0}])
def test_numbers_out_of_range_are_refused(start, arguments):
    with pytest.raises(InputError, match="Expected"):
        start(**{"workers": 1, **arguments})


LAUNCHER = """
import sys
from ae_multi.cli.interrupts import raise_on_signals
from ae_multi.workers import launcher
raise_on_signals()
launcher._GRACE_SECONDS = 1.0
script, folder, actions = sys.argv[1:]
try:
    sys.exit(launcher.launch(lambda attempt: [sys.executable, script, folder, "0", actions], 2))
except KeyboardInterrupt:
    sys.exit(77)
"""


@pytest.fixture
def running(tmp_path):
    """Return a function that starts a launcher of two workers as a process."""
    (tmp_path / "worker.py").write_text(WORKER)
    processes = []

    def run(actions):
        arguments = [str(tmp_path / "worker.py"), str(tmp_path), json.dumps(actions)]
        process = subprocess.Popen([sys.executable, "-c", LAUNCHER, *arguments])
        processes.append(process)
        return process, [worker(tmp_path, f"0-{rank}")["pid"] for rank in range(2)]

    yield run
    for process in processes:
        process.kill()
        process.wait()


def test_workers_end_when_the_launcher_is_killed(running):
    process, workers = running({"0-0": "hang", "0-1": "ignore signals"})
    process.kill()
    assert all(has_ended(pid, within=5) for pid in workers)


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_signal_to_the_launcher_lets_workers_clean_up(running, tmp_path, signal_number):
    process, workers = running({"0-0": "clean up", "0-1": "clean up"})
    time.sleep(0.3)
    process.send_signal(signal_number)
    # Worker 0 ended with status 130, so it has told the user.
    assert process.wait(timeout=20) == 130
    assert not any(is_alive(pid) for pid in workers)
    assert all((tmp_path / f"cleaned-{rank}").exists() for rank in range(2))


def test_workers_that_ignore_a_signal_are_killed(running):
    process, workers = running({"0-0": "ignore signals", "0-1": "ignore signals"})
    time.sleep(0.3)
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 77
    assert time.monotonic() - begin < 6
    assert not any(is_alive(pid) for pid in workers)
