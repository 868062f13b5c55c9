"""Child process that loads files and may crash."""

import json
import os
import queue
import subprocess
import tempfile
import threading

START_SECONDS = 600  # to import frameworks and write seeds
# Files per process: frameworks cache compiled programs, so memory grows.
_MAX_FILES_PER_PROCESS = 1500
_EXIT_SECONDS = 60  # to wait for the end of a process
_OUTPUT_CHARACTERS = 1000  # of the last output of a process


class LoaderProcess:
    """Load files in a child process, which is restarted after a crash or a hang.

    Args:
        python: interpreter.
        backend: value of ``KERAS_BACKEND``, or None.
        seeds: folder of valid files, written by the first process.
        loaders: names of the loaders to use.
        catalogue: module with ``LOADERS`` and ``write_seeds``.
        timeout: maximum number of seconds for one file.
    """

    def __init__(
        self, python, backend, seeds, loaders, catalogue="tests.robustness.fuzz.loaders", timeout=30
    ):
        self._command = [python, "-W", "ignore", "-m", "tests.robustness.fuzz.worker", catalogue]
        self._environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}
        if backend:
            self._environment["KERAS_BACKEND"] = backend
        self._seeds, self._loaders, self._timeout = str(seeds), list(loaders), timeout
        self._process = None

    def __enter__(self):
        self._start()
        return self

    def __exit__(self, *exception):
        self._stop()

    def load(self, loader, path):
        """Load ``path``; return a dict of outcome, detail, seconds and memory.

        Outcomes are "valid", "refused" with an `InputError`, and the faults: "error" (any other
        exception), "crash", "hang", "memory" and "code". Memory is in bytes.
        """
        if self._files >= _MAX_FILES_PER_PROCESS:
            self._stop()
        if self._process is None:
            self._start()
        self._files += 1
        answer = self._ask({"loader": loader, "path": str(path)}, self._timeout)
        if answer is None:
            alive = self._process.poll() is None
            self._stop()
            detail = f"more than {self._timeout} s" if alive else self._last_output
            outcome = "hang" if alive else "crash"
            answer = {"outcome": outcome, "detail": detail, "seconds": 0.0, "memory": 0}
        return answer

    def _start(self):
        self._files = 0
        self._stderr = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            text=True,
            bufsize=1,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
        )
        self._answers = queue.Queue()
        threading.Thread(
            target=_enqueue_lines, args=(self._process.stdout, self._answers), daemon=True
        ).start()
        begun = self._ask({"seeds": self._seeds, "loaders": self._loaders}, START_SECONDS)
        if begun is None:
            self._stop()
            raise RuntimeError(f"The loading process did not start: {self._last_output}")

    def _ask(self, job, seconds):
        try:
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
            line = self._answers.get(timeout=seconds)
        except queue.Empty:
            return None
        except OSError:  # the process ended before the request
            line = ""
        if not line:
            self._process.wait(_EXIT_SECONDS)
        return json.loads(line) if line else None

    def _stop(self):
        if self._process is not None:
            self._process.kill()
            status = self._process.wait()
            self._stderr.seek(0)
            output = self._stderr.read()[-_OUTPUT_CHARACTERS:]
            self._last_output = f"status {status}: ...{output}"
            self._stderr.close()
            for pipe in (self._process.stdin, self._process.stdout):
                pipe.close()
        self._process = None


def _enqueue_lines(stream, answers):
    """Put the lines of a stream into a queue, and an empty line at its end."""
    try:
        for line in stream:
            answers.put(line)
    except ValueError:  # closed while reading
        pass
    answers.put("")
