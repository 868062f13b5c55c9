"""Whether anybody's Keras model is the same on every backend."""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from ae_multi.errors import BackendError
from ae_multi.parity.curves import curves
from ae_multi.parity.launcher import TraceLauncher
from ae_multi.parity.model_builder import reference_to
from ae_multi.parity.recording import record_all
from ae_multi.parity.report import Report
from ae_multi.parity.reproduce import write_script
from ae_multi.parity.reproduce_training import write_training_script
from ae_multi.parity.stages import compare_traces
from ae_multi.selection import FORWARD_ONLY, installed
from ae_multi.subprocesses.interpreters import Interpreters, fastest


def check(
    build_model,
    x=None,
    y=None,
    backends=None,
    *,
    shape=None,
    seed=0,
    steps=20,
    batch_size=32,
    epoch=False,
    float64=False,
    training=0,
    plans=False,
    spread_runs=6,
    data_path=None,
    pythons=None,
    script=None,
    on_event=None,
):
    """Run a model on several backends, step by step, and compare it with a float64 oracle.

    Args:
        build_model: a function that returns a Keras model, compiled or not; at the top level of
            a module, so that other processes can import it, or a string "module:function" or
            "file.py:function".
        x: inputs: an array of samples, or a list of arrays for a model of several inputs, or
            the name of a data set as `ae_multi.load_data` takes it ("auto", "mnist-sample").
        y: targets, likewise; left out, the inputs where they fit the outputs, else numbers drawn
            from the seed.
        backends: names; None for every one that is installed. Keras's "numpy" backend takes part
            where JAX does, whose convolutions it borrows, and "openvino" where it is installed:
            both only run a model forward.
        shape: in place of ``x``: the shape of one sample, or a list of shapes, for 256 samples
            drawn from the seed.
        seed: integer that stands for every seed the model leaves open.
        steps: how many training steps to compare.
        batch_size: samples in a step.
        epoch: whether to compare a whole epoch of SGD with momentum, too.
        float64: whether to compare all of that once more in true float64.
        training: how many epochs to train with the model's own optimizer; 0 for none.
        plans: whether to take the steps, and to train, by every plan of each backend, too.
        spread_runs: how often to repeat the training, perturbed by rounding.
        data_path: where a named data set lies, or None.
        pythons: dict of backend to interpreter, for backends in environments of their own.
        script: where to write a script that reproduces a first divergence in a layer's output,
            a gradient, a weight or a loss with Keras alone, or None. Nothing is written where
            the backends agree.
        on_event: called with (name, event) for each event of a child process.

    Returns:
        A `Report`.

    Raises:
        InputError: a build function that cannot be imported or builds no model, or data that do
            not fit it.
        BackendError: a backend asked for is not installed, or none of them can train.
        WorkerError: a child process that failed.
    """
    names, forward_only, python, left_out = _who_takes_part(backends, dict(pythons or {}))
    reference = fastest(names)
    with tempfile.TemporaryDirectory() as folder:
        launcher = TraceLauncher(
            build_model,
            x,
            y,
            shape,
            seed,
            steps,
            batch_size,
            folder,
            python.get,
            epoch,
            training,
            data_path,
            on_event,
            plans,
        )
        ulp_perturbed = (spread_runs if training else 0) if epoch or training else None
        found = record_all(launcher, names, reference, forward_only, ulp_perturbed, float64)
        by_plans = {name: trace for b in names for name, trace in launcher.by_plans(b).items()}
        report = Report(
            model=reference_to(build_model),
            stages=compare_traces(
                found.traces,
                found.oracle,
                found.perturbed,
                found.exact,
                found.ulp_perturbed,
                by_plans,
            ),
            backends={name: trace.about for name, trace in found.traces.items()},
            oracle=reference,
            not_comparable=sorted(
                {n for t in found.traces.values() for n in t.about["not_comparable"]}
            ),
            left_out={**left_out, **found.left_out},
            curves=curves(found.traces, found.oracle, found.ulp_perturbed, found.injected),
        )
        if script is None or report.agree:
            return report
        return replace(report, unscripted=_write_script(Path(script), report, launcher, found))


def _write_script(path, report, launcher, found):
    """Write what reproduces the first divergence; return why it cannot be, or None."""
    first = report.first_divergence
    writers = dict.fromkeys(("forward", "training forward"), write_script) | dict.fromkeys(
        ("gradient", "one step", "losses"), write_training_script
    )
    if first.stage not in writers:
        return f"what the stage {first.stage!r} compares is not Keras's alone"
    # Where the float64 of the oracle's backend is odd, the other backends' values are the measure.
    right = found.traces[first.reference] if first.reference else found.oracle
    exact = right.values(first.stage)[first.place]
    return writers[first.stage](path, first, launcher.repro_data(report.oracle, first), exact)


def _who_takes_part(backends, pythons):
    """(backends that train, those that run forward: whether each was asked for, pythons, left out).

    Keras's NumPy backend borrows its convolutions from JAX, so that it runs where JAX does.
    """
    asked = None if backends is None else tuple(backends)
    forward = [name for name in FORWARD_ONLY if asked is not None and name in asked]
    trained = None if asked is None else tuple(name for name in asked if name not in FORWARD_ONLY)
    if trained == ():
        raise BackendError(
            "Expected a backend among torch, tensorflow and jax, whose float64 is the measure. "
            f"Received: {', '.join(asked)}."
        )
    interpreters = Interpreters(
        backends=trained, pythons={n: p for n, p in pythons.items() if n not in FORWARD_ONLY}
    )
    names, missing = interpreters.available()
    python = {name: interpreters.python(name) for name in names}
    forward_only = dict.fromkeys(forward, True)
    if asked is None:
        if "jax" in names:
            forward_only["numpy"] = False
        if "openvino" in pythons or installed("openvino"):
            forward_only["openvino"] = False
    python["numpy"] = pythons.get("numpy", python.get("jax", sys.executable))
    python["openvino"] = pythons.get("openvino", sys.executable)
    return names, forward_only, python, dict.fromkeys(missing, "not installed")
