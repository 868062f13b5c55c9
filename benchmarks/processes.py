"""One job in a process of its own: a function of this package, run on one backend."""

import importlib
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

from ae_multi.errors import WorkerError

_ROOT = Path(__file__).resolve().parent.parent


def run(python, backend, module, job, device=None, cores=None, timeout=None, caches=None):
    """``measure(**job)`` of ``benchmarks.MODULE``, run by another interpreter.

    Args:
        python: the interpreter of the backend's environment.
        backend: what ``KERAS_BACKEND`` says.
        module: a module here that has a function ``measure``.
        job: its keywords, plain values.
        device: "cpu" hides GPUs, "gpu" wants one, None takes what there is.
        cores: which of the processor cores that there are it may use, counted from 0, or None for
            all.
        timeout: seconds after which the process is ended, or None.
        caches: a folder for what this package and the frameworks keep between processes, or None
            for the frameworks' own folders and a new one for this package.

    Returns:
        What ``measure`` returned, plain values.

    Raises:
        WorkerError: it failed; with what it wrote.
        subprocess.TimeoutExpired: it took longer than ``timeout``.
    """
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "2"}
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    if device == "cpu":
        environment |= {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
    asked = {"module": module, "job": job, "device": device, "cores": cores}
    # Plans are chosen afresh: what another measurement left must not count.
    with tempfile.TemporaryDirectory() if caches is None else nullcontext(caches) as folder:
        environment["AE_MULTI_CACHE"] = folder
        if caches is not None:
            environment["TORCHINDUCTOR_CACHE_DIR"] = str(Path(folder) / "inductor")
        done = subprocess.run(
            [str(python), "-m", "benchmarks.processes", json.dumps(asked)],
            env=environment,
            cwd=_ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )
    if done.returncode:
        raise WorkerError(f"{backend}, benchmarks.{module}: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def with_cores(work, items, at_once):
    """``work(item, cores)`` of each item in turn, so many at once, results in the items' order.

    Those that run at once have cores of their own, or they would wait for each other.
    """
    there = range(len(os.sched_getaffinity(0)))
    free = [[core for core in there if core % at_once == job] for job in range(at_once)]

    def one(item):
        cores = free.pop()
        try:
            return work(item, cores)
        finally:
            free.append(cores)

    with ThreadPoolExecutor(at_once) as pool:
        yield from pool.map(one, items)


def _main(asked):
    if asked["cores"] is not None:
        # Before any framework is imported, so that each counts as many.
        there = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, [there[core] for core in asked["cores"]])
    if asked["device"] == "gpu":
        _check_gpu()
    module = importlib.import_module(f"benchmarks.{asked['module']}")
    print(json.dumps(module.measure(**asked["job"])))


def _check_gpu():
    from ae_multi import backends

    device = backends.current().device()
    if device.startswith("cpu"):
        raise SystemExit(f"Expected a GPU, as --device gpu asks for. Received: {device}.")


if __name__ == "__main__":
    _main(json.loads(sys.argv[1]))
