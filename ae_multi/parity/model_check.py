"""Check that any Keras model computes the same on every backend."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ae_multi.argument_checks import check_positive
from ae_multi.backend_selection import FORWARD_ONLY, installed
from ae_multi.errors import BackendError, InputError
from ae_multi.parity.curves import curves
from ae_multi.parity.environments import find_environments
from ae_multi.parity.launcher import TraceLauncher
from ae_multi.parity.model_builder import reference_to
from ae_multi.parity.recording import Recordings, record_all
from ae_multi.parity.report import Report
from ae_multi.parity.reproduce import write_script
from ae_multi.parity.reproduce_training import write_training_script
from ae_multi.parity.stages import compare_traces
from ae_multi.parity.trace import Trace
from ae_multi.subprocesses.interpreters import Interpreters, fastest

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ae_multi._keras import keras


def check(
    build_model: Callable[[], keras.Model] | str,
    x: ArrayLike | list[ArrayLike] | str | None = None,
    y: ArrayLike | list[ArrayLike] | None = None,
    backends: Sequence[str] | None = None,
    *,
    shape: tuple[int, ...] | list[tuple[int, ...]] | None = None,
    seed: int = 0,
    steps: int = 20,
    batch_size: int = 32,
    epoch: bool = False,
    float64: bool = False,
    training: int = 0,
    plans: bool = False,
    spread_runs: int = 6,
    data_path: str | None = None,
    pythons: Mapping[str, str] | None = None,
    environments: Mapping[str, str] | None = None,
    weights: os.PathLike[str] | str | None = None,
    dtype_policy: str | None = None,
    quick: bool = False,
    script: os.PathLike[str] | str | None = None,
    on_event: Callable[[str, dict[str, Any]], object] | None = None,
) -> Report:
    """Run a model on several backends, and compare each step with the same steps in float64.

    Args:
        build_model: function without arguments that returns a Keras model, compiled or not. It
            must be at the top level of a module, so that other processes can import it. Or a
            string "module:function" or "file.py:function", or the path of a .keras file, whose
            weights are the initial ones. A model that is not compiled is compiled with Adam and
            the mean squared error.
        x: inputs: an array of samples, a list of arrays for a model with several inputs, or the
            name of a data set as in `ae_multi.load_data` ("auto", "mnist-sample").
        y: targets: an array, a list of arrays, or None. None uses the inputs if the outputs have
            their shapes, otherwise uniform numbers on [0, 1) from ``seed``.
        backends: backend names; None for every installed one. None also includes two backends
            that only run a model forward: Keras's "numpy" backend if JAX takes part, since it uses
            JAX's convolutions, and "openvino" if it is installed.
        shape: instead of ``x``: the shape of one sample, or a list of shapes; 256 samples are
            drawn from ``seed``.
        seed: integer, seed of the batch order, of drawn samples and targets, and of initializers
            and random layers without a seed.
        steps: number of training steps to compare.
        batch_size: samples per step.
        epoch: whether to also compare an epoch of SGD with momentum.
        float64: whether to also compare everything but the training in float64 on every backend.
        training: number of epochs to train with the model's own optimizer; 0 for none.
        plans: whether to also take the steps and train with every plan of each backend.
        spread_runs: number of repetitions of the training, perturbed by rounding; at least 2.
        data_path: path of the files of a named data set, or None.
        pythons: dict of backend to the path of an interpreter, for backends that are installed in
            other environments.
        environments: instead of ``backends`` and ``pythons``: dict of a name to the path of the
            interpreter of an environment, to compare versions of one framework. An environment
            runs the backend that is installed in it; KERAS_BACKEND chooses among several.
        weights: path of a .keras or .weights.h5 file with the initial weights; None to draw them
            from ``seed``.
        dtype_policy: name of the dtype policy of layers that have none of their own, one of
            "mixed_bfloat16", "mixed_float16", "bfloat16" and "float16"; None for "float32".
        quick: whether to compare the forward passes and the gradient only, without training steps.
            Backends that only run a model forward are left out unless ``backends`` names them.
        script: path of a script to write, or None. The script reproduces the first divergence with
            Keras alone, if it is in a layer's output, a gradient, a weight or a loss. No script is
            written if the backends agree.
        on_event: called with (name, event) for each event of a child process; or None.

    Returns:
        The stages that were compared and where they differ.

    Raises:
        InputError: the build function cannot be imported or returns no model, the data do not fit
            the model, or arguments are invalid or exclude each other.
        BackendError: a backend in ``backends`` is not installed, or none of them can train.
        WorkerError: a child process failed.
    """
    check_positive(steps=steps, training=training or None)
    if training and spread_runs < 2:
        raise InputError(
            f"Expected spread_runs of at least 2: one run has no spread. Received: {spread_runs}."
        )
    if quick and (epoch or training or plans):
        raise InputError(
            "Expected either quick or a training (epoch, training, plans). Received: both."
        )
    if environments is None:
        names, forward_only, python, left_out = _select_backends(backends, dict(pythons or {}))
        if quick:
            forward_only = {name: named for name, named in forward_only.items() if named}
        backend_of = {name: name for name in names}
    else:
        if backends is not None or pythons:
            raise InputError(
                "Expected either environments, or backends and pythons. Received: both."
            )
        found = find_environments(environments)
        names, forward_only, left_out = tuple(found), {}, {}
        python = {name: environment.python for name, environment in found.items()}
        backend_of = {name: environment.backend for name, environment in found.items()}
    best = fastest(backend_of.values())
    reference = quickest = next(name for name in names if backend_of[name] == best)
    if not (epoch or training or float64):
        # PyTorch takes a few steps in less time than JAX takes to compile them.
        quickest = next((name for name in names if backend_of[name] == "torch"), reference)
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
            python.get,
            epoch,
            training,
            data_path,
            on_event,
            plans,
            weights,
            backend_of,
            dtype_policy,
        )
        ulp_perturbed = (spread_runs if training else 0) if epoch or training else None
        recordings = record_all(launcher, names, quickest, forward_only, ulp_perturbed, float64)
        by_plans = {name: trace for b in names for name, trace in launcher.by_plans(b).items()}
        model = reference_to(build_model)
        report = _report(model, quickest, recordings, by_plans, left_out)
        if not report.agree and quickest != reference:
            # The reference was computed on PyTorch, on which most known differences occur. A
            # reference from another backend determines which one differs.
            oracle, perturbed = launcher.oracle(reference)
            recordings = replace(recordings, oracle=oracle, perturbed=perturbed)
            report = _report(model, reference, recordings, by_plans, left_out)
        if script is None or report.agree:
            return report
        commands = {
            name: f"KERAS_BACKEND={backend_of.get(name, name)} "
            + (shlex.quote(python[name]) if environments else "python")
            for name in recordings.traces
        }
        unscripted = _write_script(Path(script), report, launcher, recordings, commands)
        return replace(report, unscripted=unscripted)


def _report(
    model: str,
    reference: str,
    recordings: Recordings,
    by_plans: Mapping[str, Trace],
    left_out: Mapping[str, str],
) -> Report:
    """Compare the recordings of a model with the float64 trace of ``reference``."""
    return Report(
        model=model,
        stages=compare_traces(
            recordings.traces,
            recordings.oracle,
            recordings.perturbed,
            recordings.exact,
            recordings.ulp_perturbed,
            by_plans,
        ),
        backends={name: trace.about for name, trace in recordings.traces.items()},
        oracle=reference,
        not_comparable=sorted(
            {n for t in recordings.traces.values() for n in t.about["not_comparable"]}
        ),
        left_out={**left_out, **recordings.left_out},
        curves=curves(
            recordings.traces, recordings.oracle, recordings.ulp_perturbed, recordings.injected
        ),
    )


def _write_script(
    path: Path,
    report: Report,
    launcher: TraceLauncher,
    recordings: Recordings,
    commands: Mapping[str, str],
) -> str | None:
    """Write a script that reproduces the first divergence; return why that fails, or None."""
    first = report.first_divergence
    assert first is not None
    writers = dict.fromkeys(("forward", "training forward"), write_script) | dict.fromkeys(
        ("gradient", "one step", "losses"), write_training_script
    )
    if first.stage not in writers:
        return f"the stage {first.stage!r} cannot be reproduced with Keras alone"
    # If the oracle's backend differs, the values of another backend are the exact ones.
    right = recordings.traces[first.reference] if first.reference else recordings.oracle
    exact = right.values(first.stage)[first.place]
    repro_data = launcher.repro_data(report.oracle, first)
    return writers[first.stage](path, first, repro_data, exact, commands)


def _select_backends(
    backends: Sequence[str] | None, pythons: Mapping[str, str]
) -> tuple[tuple[str, ...], dict[str, bool], dict[str, str], dict[str, str]]:
    """Return the backends of a check and their interpreters.

    Keras's NumPy backend uses the convolutions of JAX, so it runs in JAX's environment.

    Returns:
        (backends that train, dict of forward-only backend to whether the user named it, dict of
        backend to interpreter, dict of backend left out to the reason).
    """
    requested = None if backends is None else tuple(backends)
    forward = [name for name in FORWARD_ONLY if requested is not None and name in requested]
    trained = None if requested is None else tuple(n for n in requested if n not in FORWARD_ONLY)
    if trained == ():
        raise BackendError(
            "Expected at least one of torch, tensorflow and jax, which compute the float64 "
            f"reference. Received: {', '.join(backends or ())}."
        )
    interpreters = Interpreters(
        backends=trained, pythons={n: p for n, p in pythons.items() if n not in FORWARD_ONLY}
    )
    names, missing = interpreters.available()
    python = {name: interpreters.python(name) for name in names}
    forward_only = dict.fromkeys(forward, True)
    if requested is None:
        if "jax" in names:
            forward_only["numpy"] = False
        if "openvino" in pythons or installed("openvino"):
            forward_only["openvino"] = False
    python["numpy"] = pythons.get("numpy", python.get("jax", sys.executable))
    python["openvino"] = pythons.get("openvino", sys.executable)
    return names, forward_only, python, dict.fromkeys(missing, "not installed")
