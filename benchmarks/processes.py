"""Run one measurement on one backend in a separate process."""

import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from ae_multi.errors import WorkerError

_ROOT = Path(__file__).resolve().parent.parent
_T = TypeVar("_T")
_R = TypeVar("_R")


def run(
    python: os.PathLike[str] | str,
    backend: str,
    module: str,
    job: dict[str, Any],
    device: str | None = None,
    cores: Sequence[int] | None = None,
    timeout: float | None = None,
    caches: os.PathLike[str] | str | None = None,
) -> Any:
    """Call ``measure(**job)`` of ``benchmarks.MODULE`` in a process of another interpreter.

    Args:
        python: the interpreter of the backend's environment.
        backend: the value of ``KERAS_BACKEND``.
        module: name of a module of `benchmarks` that has a function ``measure``.
        job: keywords of ``measure``, values for JSON.
        device: "cpu" hides GPUs, "gpu" requires one, None uses a GPU if there is one.
        cores: indices of the available processor cores that the process may use, or None for all.
        timeout: seconds after which the process is ended, or None.
        caches: folder for the caches of this package and of PyTorch's compiler, or None for a
            temporary folder for this package and the default folder of the compiler.

    Returns:
        The result of ``measure``, values for JSON.

    Raises:
        WorkerError: the process failed; the message has the end of its stderr.
        subprocess.TimeoutExpired: the process took longer than ``timeout``.
    """
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "2"}
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    if device == "cpu":
        environment |= {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
    request = {"module": module, "job": job, "device": device, "cores": cores}
    # By default the cache is new, so that plans are chosen independently of other measurements.
    cache_folder: AbstractContextManager[str] = (
        tempfile.TemporaryDirectory() if caches is None else nullcontext(str(caches))
    )
    with cache_folder as folder:
        environment["AE_MULTI_CACHE"] = folder
        if caches is not None:
            environment["TORCHINDUCTOR_CACHE_DIR"] = str(Path(folder) / "inductor")
        done = subprocess.run(
            [str(python), "-m", "benchmarks.processes", json.dumps(request)],
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


def with_cores(
    work: Callable[[_T, list[int]], _R], items: Iterable[_T], at_once: int
) -> Iterator[_R]:
    """Call ``work(item, cores)`` for each item, several at once.

    Calls that run at once get disjoint sets of cores, so that they do not slow each other down.

    Args:
        work: function of an item and a list of indices of processor cores.
        items: the items.
        at_once: number of calls that run at once.

    Yields:
        The results, in the order of the items.
    """
    available = range(len(os.sched_getaffinity(0)))
    free = [[core for core in available if core % at_once == job] for job in range(at_once)]

    def one(item):
        cores = free.pop()
        try:
            return work(item, cores)
        finally:
            free.append(cores)

    with ThreadPoolExecutor(at_once) as pool:
        yield from pool.map(one, items)


def _main(request):
    if request["cores"] is not None:
        # Before a framework is imported, because it sizes its thread pools by the cores.
        available = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, [available[core] for core in request["cores"]])
    if request["device"] == "gpu":
        _check_gpu()
    module = importlib.import_module(f"benchmarks.{request['module']}")
    print(json.dumps(module.measure(**request["job"])))


def _check_gpu():
    from ae_multi import backends

    device = backends.current().device()
    if device.startswith("cpu"):
        raise SystemExit(f"Expected a GPU because of --device gpu. Received: {device}.")


if __name__ == "__main__":
    _main(json.loads(sys.argv[1]))
