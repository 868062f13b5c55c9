"""Have a model's traces recorded, each in a process of its own."""

import dataclasses
import os
from pathlib import Path

from ae_multi.errors import WorkerError
from ae_multi.parity.job import TraceJob
from ae_multi.parity.model_builder import reference_to
from ae_multi.parity.samples import hand_over
from ae_multi.parity.trace import Trace
from ae_multi.randomness.streams import check_seed
from ae_multi.subprocesses.launcher import run
from ae_multi.validation import check_positive

_PERTURBED_RUNS = 4


class TraceLauncher:
    """Traces of one model on one set of data, each recorded in a process of its own.

    The first trace's initial weights start the others, so that one weight drawn otherwise does
    not make all that follows incomparable; the first stage shows it all the same.

    Args:
        build_model, x, y, shape, seed, steps, batch_size, data_path: as `check` takes them.
        folder: where the traces go; it must last as long as they are recorded.
        python: function from a backend's name to its interpreter.
        epoch: whether to record an epoch of SGD.
        epochs: how many epochs of the model's own optimizer to record.
        plans: whether each backend's steps are also taken by each of its plans.
        on_event: called with (name, event) for each event of a child process, or None.
    """

    def __init__(
        self,
        build_model,
        x,
        y,
        shape,
        seed,
        steps,
        batch_size,
        folder,
        python,
        epoch=False,
        epochs=0,
        data_path=None,
        on_event=None,
        plans=False,
    ):
        check_positive(steps=steps, batch_size=batch_size, epochs=epochs + 1)
        self._folder, self._python, self._on_event = Path(folder), python, on_event
        self._children, self._stopped, self._plans = set(), False, bool(plans)
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
        )

    def trace(self, backend, python=None):
        """The float32 `Trace` of a backend, by another interpreter than usual if one is given."""
        return self._first(self._record(backend, backend, python, plans=self._plans))

    def by_plans(self, backend):
        """Dict of "backend plan" to `Trace`, of the plans recorded beside the backend's trace."""
        paths = sorted(self._folder.glob(f"{backend}+*.npz"))
        return {path.stem.replace("+", " "): Trace.load(path) for path in paths}

    def trace_with_perturbed(self, backend, ulp_perturbed, injected=False):
        """Its float32 `Trace`, a list of those perturbed, and that with a fault or None."""
        paths, faults = (
            self._paths("ulp_perturbed", ulp_perturbed),
            self._paths("injected", int(injected)),
        )
        found = self._first(
            self._record(backend, backend, ulp_perturbed=paths, injected=faults, plans=self._plans)
        )
        # A model that cannot be trained leaves none of them.
        others, wrong = ([Trace.load(p) for p in ps if Path(p).exists()] for ps in (paths, faults))
        return found, others, (wrong or [None])[0]

    def oracle(self, backend):
        """(the float64 `Trace`, list of those perturbed by rounding), after the first trace."""
        paths = self._paths("perturbed", _PERTURBED_RUNS)
        path = self._record(backend, "oracle", float64=True, perturbed=paths)
        return Trace.load(path), [Trace.load(path) for path in paths if Path(path).exists()]

    def exact(self, backend):
        """The float64 `Trace` of another backend, without the model's own training."""
        path = self._record(backend, f"{backend} in float64", float64=True, epochs=0)
        return Trace.load(path)

    def repro_data(self, backend, divergence):
        """Path of the .npz that holds the layer behind a divergence, its inputs and weights."""
        path = str(self._folder / "repro_data.npz")
        place = {"stage": divergence.stage, "place": divergence.place, "path": path}
        self._record(backend, "repro_data", repro_data=place)
        return path

    def stop(self):
        """End what other threads are recording, and record nothing any more."""
        self._stopped = True
        for child in tuple(self._children):
            child.kill()

    def _first(self, path):
        """The trace at ``path``; the first one starts those that follow."""
        if self._job.start is None:
            self._job = dataclasses.replace(self._job, start=path)
        return Trace.load(path)

    def _paths(self, name, count):
        return [str(self._folder / f"{name}-{run}.npz") for run in range(count)]

    def _record(self, backend, name, python=None, **changes):
        path = str(self._folder / f"{name}.npz")
        job = dataclasses.replace(self._job, trace=path, **changes).to_dict()
        for event in run(python or self._python(backend), backend, job, self._children):
            if self._stopped:
                raise WorkerError("The comparison was ended.")
            if self._on_event is not None:
                self._on_event(name, event)
        return path
