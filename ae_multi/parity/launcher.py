"""Launcher of the child processes that record a model's traces."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ae_multi.argument_checks import check_positive
from ae_multi.errors import InputError, WorkerError
from ae_multi.parity.conditioning import PERTURBATIONS
from ae_multi.parity.data import hand_over
from ae_multi.parity.job import DTYPE_POLICIES, TraceJob
from ae_multi.parity.model_builder import reference_to
from ae_multi.parity.trace import Trace
from ae_multi.randomness.streams import check_seed
from ae_multi.subprocesses.launcher import run

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ae_multi._keras import keras
    from ae_multi.parity.divergence import Divergence


def processes_at_once() -> int:
    """Return how many processes record at the same time: 1 with an NVIDIA GPU, otherwise 2.

    On a GPU, one process may reserve all memory.
    """
    return 1 if shutil.which("nvidia-smi") else 2


class _Children(set["subprocess.Popen[bytes]"]):
    """Running child processes. After `stop`, each process that is added is killed."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped = False

    def add(self, child: subprocess.Popen[bytes]) -> None:
        """Add a child process."""
        super().add(child)
        # Checked after the child is in the set, so that either `stop` or this line kills it.
        if self.stopped:
            child.kill()

    def stop(self) -> None:
        """Kill all child processes, and every one that is added later."""
        self.stopped = True
        for child in tuple(self):
            child.kill()


class TraceLauncher:
    """Launcher of child processes that record traces of one model on one data set.

    All traces start from the initial weights of the first float32 trace. Other recordings may begin
    at the same time: their processes wait for these weights. If a backend draws other weights, the
    stage "start" reports them, and the later stages remain comparable.

    Args:
        build_model, x, y, shape, seed, steps, batch_size, data_path: as for `check`.
        folder: existing folder for the traces.
        python: function from the name of an environment to its interpreter.
        epoch: whether to record an epoch of SGD.
        epochs: number of epochs of the model's own optimizer to record.
        plans: whether to also take the steps with every plan of each backend.
        on_event: called with (name, event) for each event of a child process, or None.
        weights: path of a file of initial weights, or None to draw them from the seed.
        backend: dict of an environment's name to its backend, or None if each environment has the
            name of its backend.
        dtype_policy: one of `ae_multi.parity.job.DTYPE_POLICIES`, or None.
    """

    def __init__(
        self,
        build_model: Callable[[], keras.Model] | str,
        x: ArrayLike | list[ArrayLike] | str | None,
        y: ArrayLike | list[ArrayLike] | None,
        shape: Sequence[Any] | None,
        seed: int,
        steps: int,
        batch_size: int,
        folder: os.PathLike[str] | str,
        python: Callable[[str], Any],
        epoch: bool = False,
        epochs: int = 0,
        data_path: str | None = None,
        on_event: Callable[[str, dict[str, Any]], object] | None = None,
        plans: bool = False,
        weights: os.PathLike[str] | str | None = None,
        backend: Mapping[str, str] | None = None,
        dtype_policy: str | None = None,
    ) -> None:
        check_positive(batch_size=batch_size)
        if dtype_policy not in (None, *DTYPE_POLICIES):
            raise InputError(
                f"Expected dtype_policy to be one of {', '.join(DTYPE_POLICIES)}, or None. "
                f"Received: {dtype_policy!r}."
            )
        self._backend = dict(backend or {})
        self._folder, self._python, self._on_event = Path(folder), python, on_event
        self._children = _Children()
        self._plans = bool(plans)
        # No environment can have a name with a space.
        self._start = str(self._folder / "initial weights.npz")
        self._is_first, self._lock = True, threading.Lock()
        data = hand_over(x, y, shape, check_seed(seed), self._folder / "data.npz", data_path)
        self._job = TraceJob(
            build=reference_to(build_model),
            folder=os.getcwd(),
            programs=str(self._folder / "programs"),
            data=data,
            seed=seed,
            steps=steps,
            batch_size=batch_size,
            epoch=bool(epoch),
            epochs=epochs,
            weights=None if weights is None else os.path.abspath(weights),
            dtype_policy=dtype_policy,
            start=self._start,
        )

    def trace(self, backend: str, python: str | None = None) -> Trace:
        """Record the float32 trace of a backend, with the interpreter ``python`` if given."""
        path = self._record(backend, backend, python, **self._claim_start(), plans=self._plans)
        return self._load(path, backend)

    def by_plans(self, backend: str) -> dict[str, Trace]:
        """Return a dict of "backend plan" to trace, for the plans that `trace` recorded."""
        paths = sorted(self._folder.glob(f"{backend}+*.npz"))
        return {path.stem.replace("+", " "): Trace.load(path) for path in paths}

    def trace_with_perturbed(
        self, backend: str, ulp_perturbed: int, injected: bool = False
    ) -> tuple[Trace, list[Trace], Trace | None]:
        """Record the float32 trace of a backend and further traces of its trainings.

        Args:
            backend: name of the backend.
            ulp_perturbed: number of trainings that are perturbed by rounding.
            injected: whether to also record trainings with a learning rate that is 0.1 % too large.

        Returns:
            (trace, perturbed traces, trace with the fault or None). If the model cannot be trained,
            there are no perturbed traces and no trace with the fault.
        """
        paths, faults = (
            self._paths("ulp_perturbed", ulp_perturbed),
            self._paths("injected", int(injected)),
        )
        path = self._record(
            backend,
            backend,
            **self._claim_start(),
            ulp_perturbed=paths,
            injected=faults,
            plans=self._plans,
        )
        trace = self._load(path, backend)
        perturbed, faulty = (
            [self._load(p, backend) for p in ps if Path(p).exists()] for ps in (paths, faults)
        )
        return trace, perturbed, faulty[0] if faulty else None

    def oracle(self, backend: str) -> tuple[Trace, list[Trace]]:
        """Record the float64 reference and its perturbed runs.

        It needs the initial weights of the first float32 trace, so it must not run before that
        trace is being recorded.

        Returns:
            (float64 trace, perturbed traces).
        """
        paths = self._paths("perturbed", len(PERTURBATIONS))
        path = self._record(backend, "oracle", float64=True, perturbed=paths)
        return self._load(path, backend), [Trace.load(p) for p in paths if Path(p).exists()]

    def exact(self, backend: str) -> Trace:
        """Record the float64 trace of a backend, without the training by the model's optimizer."""
        path = self._record(backend, f"{backend} in float64", float64=True, epochs=0)
        return self._load(path, backend)

    def repro_data(self, backend: str, divergence: Divergence) -> str:
        """Save the data that reproduce a divergence and return the path of the .npz file.

        For a divergence of a layer's output, the file contains the layer, its inputs and its
        weights. Otherwise it contains the model, its initial weights and the batches of its first
        steps, or the reason why Keras alone cannot reproduce the divergence.
        """
        path = str(self._folder / "repro_data.npz")
        place = {"stage": divergence.stage, "place": divergence.place, "path": path}
        self._record(backend, "repro_data", repro_data=place)
        return path

    def stop(self) -> None:
        """Kill all child processes. Later recordings raise `WorkerError`."""
        self._children.stop()

    def _load(self, path: str, name: str) -> Trace:
        """Load the trace at ``path``, recorded in the environment ``name``."""
        trace = Trace.load(path)
        return dataclasses.replace(trace, about={**trace.about, "name": name})

    def _claim_start(self) -> dict[str, str | None]:
        """Return the changes of the first float32 job, which writes the initial weights."""
        with self._lock:
            is_first, self._is_first = self._is_first, False
        return {"start": None, "start_to_write": self._start} if is_first else {}

    def _paths(self, name: str, count: int) -> list[str]:
        return [str(self._folder / f"{name}-{run}.npz") for run in range(count)]

    def _record(self, backend: str, name: str, python: str | None = None, **changes: Any) -> str:
        """Run a job with ``changes`` in a child process and return the path of its trace."""
        if self._children.stopped:
            raise WorkerError("The comparison was stopped.")
        path = str(self._folder / f"{name}.npz")
        job = dataclasses.replace(self._job, trace=path, **changes).to_dict()
        interpreter, keras_backend = (
            python or self._python(backend),
            self._backend.get(backend, backend),
        )
        # OpenMP's threads wait for work in a busy loop. With more threads than cores, waiting
        # threads slow down the others.
        threads = max(1, (os.cpu_count() or 1) // processes_at_once())
        for event in run(interpreter, keras_backend, job, self._children, threads):
            if self._children.stopped:
                raise WorkerError("The comparison was stopped.")
            if self._on_event is not None:
                self._on_event(name, event)
        return path
