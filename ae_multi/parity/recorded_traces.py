"""Recording of one backend's trace to a file, and comparison of such files."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ae_multi.argument_checks import check_positive
from ae_multi.backend_selection import BACKENDS, check_backend, select_training_backend
from ae_multi.errors import BackendError, InputError
from ae_multi.io.atomic import check_writable
from ae_multi.parity.environments import check_environment_name
from ae_multi.parity.launcher import TraceLauncher
from ae_multi.parity.model_builder import reference_to
from ae_multi.parity.recording import record_all
from ae_multi.parity.report import Report
from ae_multi.parity.sampling import is_sampled, reduce_trace
from ae_multi.parity.stages import compare_traces
from ae_multi.parity.trace import Trace
from ae_multi.parity.trace_file import TraceFile

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ae_multi._keras import keras

# Key of what must be equal in all compared traces: its name in messages. Checked in this order.
_COMMON = {
    "model": "model",
    "data": "data",
    "seed": "seed",
    "steps": "number of steps",
    "batch_size": "batch size",
    "weights": "file of weights",
    "epoch": "choice of --epoch",
    "rate": "learning rate of the epoch",
}


def record(
    build_model: Callable[[], keras.Model] | str,
    x: ArrayLike | list[ArrayLike] | str | None = None,
    y: ArrayLike | list[ArrayLike] | None = None,
    *,
    out: os.PathLike[str] | str | None = None,
    backend: str | None = None,
    python: str | None = None,
    reference: bool = True,
    shape: tuple[int, ...] | list[tuple[int, ...]] | None = None,
    seed: int = 0,
    steps: int = 20,
    batch_size: int = 32,
    epoch: bool = False,
    quick: bool = False,
    weights: os.PathLike[str] | str | None = None,
    dtype_policy: str | None = None,
    data_path: str | None = None,
    on_event: Callable[[str, dict[str, Any]], object] | None = None,
) -> TraceFile:
    """Record the trace of a model on one backend, to compare it later or on another machine.

    Args:
        build_model: function that returns a Keras model, its reference "module:function" or
            "file.py:function", or the path of a .keras file, as for `ae_multi.parity.check`.
        x: inputs, as for `ae_multi.parity.check`.
        y: targets, as for `ae_multi.parity.check`.
        out: path of the file to write, or None.
        backend: name of a backend that trains; None for the current one.
        python: path of the interpreter of an environment with the backend; None for this one.
        reference: whether to also record the float64 reference. One of the traces that are
            compared must have it.
        shape: instead of ``x``: the shape of one sample, or a list of shapes.
        seed: integer, seed of the batch order, of drawn samples and targets, and of initializers
            and random layers without a seed.
        steps: number of training steps to record.
        batch_size: samples per step.
        epoch: whether to also record an epoch of SGD with momentum.
        quick: whether to record the forward passes and the gradient only, without steps.
        weights: path of a .keras or .weights.h5 file with the initial weights; None to draw them
            from ``seed``.
        dtype_policy: name of the dtype policy of layers that have none of their own, one of
            "mixed_bfloat16", "mixed_float16", "bfloat16" and "float16"; None for "float32".
        data_path: path of the files of a named data set, or None.
        on_event: called with (name, event) for each event of a child process; or None.

    Returns:
        The trace. `compare` takes it or the path of its file.

    Raises:
        InputError, BackendError, WorkerError: as for `ae_multi.parity.check`.
    """
    check_positive(steps=steps)
    if quick and epoch:
        raise InputError("Expected either quick or an epoch. Received: both.")
    if out is not None:
        check_writable(out, "the trace")
    name = select_training_backend() if backend is None else backend
    if name not in BACKENDS:
        raise BackendError(
            f"Expected a backend that trains, one of {', '.join(BACKENDS)}. Received: {name!r}."
        )
    if python is None:
        check_backend(name, where="the recording")
    with tempfile.TemporaryDirectory() as folder:
        launcher = TraceLauncher(
            build_model,
            x,
            y,
            shape,
            seed,
            0 if quick else steps,
            batch_size,
            folder,
            {name: python or sys.executable}.get,
            epoch,
            data_path=data_path,
            on_event=on_event,
            weights=weights,
            dtype_policy=dtype_policy,
        )
        if reference:
            recordings = record_all(launcher, (name,), name, {})
            trace = recordings.traces[name]
            oracle = reduce_trace(recordings.oracle, recordings.perturbed)
        else:
            trace, oracle = launcher.trace(name), None
    recorded = TraceFile(reference_to(build_model), reduce_trace(trace), oracle)
    if out is not None:
        recorded.save(out)
    return recorded


def compare(
    *traces: TraceFile | os.PathLike[str] | str,
    names: Sequence[str] | None = None,
) -> Report:
    """Compare traces from `record`. No model is run and no backend is needed.

    Args:
        *traces: two or more results of `record`, or paths of their files. The float64 reference
            is that of the first trace that has one.
        names: a name for each trace in the report. None for the names of the files without the
            suffix ".trace", and "trace 1", "trace 2" for traces that are not files.

    Returns:
        The same report as `ae_multi.parity.check`, without curves.

    Raises:
        InputError: a file is not a trace file; no trace has a reference; names are missing or
            equal; or the traces are of different models, data, seeds, steps, batch sizes, weights
            or learning rates of the epoch, or with and without an epoch.
    """
    if len(traces) < 2:
        raise InputError(f"Expected two or more traces. Received: {len(traces)}.")
    files = [t if isinstance(t, TraceFile) else TraceFile.load(t) for t in traces]
    labels = _labels(traces) if names is None else list(names)
    if len(labels) != len(files) or len(set(labels)) < len(labels):
        raise InputError(
            f"Expected a different name for each of {len(files)} traces. "
            f"Received: {', '.join(labels)}."
        )
    named = dict(zip(labels, files, strict=True))
    _check_common(named)
    source = next((name for name, file in named.items() if file.reference is not None), None)
    if source is None:
        raise InputError(
            "Expected a float64 reference in one of the traces. Received: none in "
            f"{', '.join(labels)}, which were recorded without it."
        )
    float32 = {name: _named(file.trace, name) for name, file in named.items()}
    oracle = named[source].reference
    assert oracle is not None
    stages = compare_traces(float32, _named(oracle, source))
    entries = (entry for stage in stages for entry in oracle.stages[stage.name])
    return Report(
        model=named[source].model,
        stages=stages,
        backends={name: trace.about for name, trace in float32.items()},
        oracle=source,
        not_comparable=sorted({n for t in float32.values() for n in t.about["not_comparable"]}),
        left_out={},
        curves={},
        sampled=sum(map(is_sampled, entries)),
    )


def _named(trace: Trace, name: str) -> Trace:
    return replace(trace, about={**trace.about, "name": name})


def _labels(traces: Sequence[TraceFile | os.PathLike[str] | str]) -> list[str]:
    """Return the names of the files without suffix, or their paths where names are not unique."""
    numbered = [f"trace {n}" for n in range(1, len(traces) + 1)]
    both = [
        (name, name) if isinstance(trace, TraceFile) else (_stem(os.fspath(trace)), trace)
        for name, trace in zip(numbered, traces, strict=True)
    ]
    stems = [stem for stem, _ in both]
    return [stem if stems.count(stem) == 1 else os.fspath(path) for stem, path in both]


def _stem(path: str) -> str:
    """Return the name of a file without suffix, or its path if that name is not allowed."""
    stem = Path(path).name.removesuffix(".trace")
    try:
        check_environment_name(stem)
    except InputError:  # such as the name of a forward-only backend
        return path
    return stem


def _check_common(named: Mapping[str, TraceFile]) -> None:
    """Raise `InputError` unless the values of all keys of `_COMMON` are equal in all traces."""
    first, file = next(iter(named.items()))
    traces = [
        (name, trace)
        for name, recorded in named.items()
        for trace in (recorded.trace, recorded.reference)
        if trace is not None
    ]
    for key, what in _COMMON.items():
        expected = _common(file.trace, key)
        for name, trace in traces:
            received = _common(trace, key)
            if received != expected:
                raise InputError(
                    f"Expected traces of the same {what}. Received: "
                    f"{_shown(key, expected, file)} in {first}, "
                    f"{_shown(key, received, named[name])} in {name}."
                )


def _common(trace: Trace, key: str) -> Any:
    """Return the value of a trace for a key of `_COMMON`, or None if it has none."""
    has_epoch = bool(trace.stages.get("epoch"))
    if key == "epoch":
        return has_epoch or None
    return trace.about.get(key) if key != "rate" or has_epoch else None


def _shown(key: str, value: Any, file: TraceFile) -> str:
    """Return the value of a key of `_COMMON` as text for a message."""
    if key == "model":
        return f"{file.model} with layers {value[:12]}…"
    if value is None:
        return "none"
    if key == "epoch":
        return "an epoch"
    return f"{value[:12]}…" if isinstance(value, str) else str(value)
