"""Recording of all traces of a comparison, two at a time on a machine without a GPU."""

from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from ae_multi.errors import InputError, WorkerError
from ae_multi.parity.launcher import TraceLauncher, processes_at_once
from ae_multi.parity.trace import Trace

# Forward-only backends with float64; OpenVINO computes in float32 for every input dtype.
_FORWARD_ONLY_WITH_FLOAT64 = ("numpy",)


@dataclass(frozen=True)
class Recordings:
    """Traces of a comparison.

    Attributes:
        traces: dict of backend to float32 trace.
        oracle: the float64 trace of the reference backend.
        perturbed: float64 traces of the oracle's backend, perturbed like float32 rounding.
        exact: dict of each other backend to its float64 trace; empty if not requested.
        ulp_perturbed: float32 traces of the reference backend, perturbed by rounding.
        injected: trace of trainings on the reference backend with an injected fault, or None.
        left_out: dict of forward-only backend to the reason why it has no trace.
    """

    traces: dict[str, Trace]
    oracle: Trace
    perturbed: list[Trace]
    exact: dict[str, Trace]
    ulp_perturbed: list[Trace]
    injected: Trace | None
    left_out: dict[str, str]


def record_all(
    launcher: TraceLauncher,
    names: Sequence[str],
    reference: str,
    forward_only: Mapping[str, bool],
    ulp_perturbed: int | None = None,
    float64: bool = False,
) -> Recordings:
    """Record all traces that a comparison needs.

    Most of a recording runs on one thread (importing a framework, compiling a step), so two
    processes at a time take little longer than one.

    Args:
        launcher: launcher of the traces of the model.
        names: backends that can train.
        reference: the backend in ``names`` whose float64 trace is the oracle.
        forward_only: dict of forward-only backend to whether its failure is an error. Otherwise the
            backend is left out.
        ulp_perturbed: number of perturbed repetitions of the reference's training; None to record
            neither repetitions nor the trace with a fault.
        float64: whether to also record the other backends in float64.

    Raises:
        InputError, BackendError, WorkerError: as `ae_multi.subprocesses.launcher.run`.
    """

    def train(name: str) -> tuple[Trace, list[Trace], Trace | None]:
        if name == reference and ulp_perturbed is not None:
            return launcher.trace_with_perturbed(name, ulp_perturbed, injected=True)
        return launcher.trace(name), [], None

    def run_forward(name: str) -> tuple[Trace, Trace | None] | str:
        try:
            trace = launcher.trace(name)
            return trace, launcher.exact(
                name
            ) if float64 and name in _FORWARD_ONLY_WITH_FLOAT64 else None
        except (WorkerError, InputError) as error:
            if forward_only[name]:
                raise
            return f"cannot run this model ({str(error).splitlines()[0]})"

    pool = ThreadPoolExecutor(processes_at_once())
    try:
        # The first recording writes the initial weights, for which the others wait. It is that of
        # the reference's backend, whose recordings take the most time.
        training = {reference: pool.submit(train, reference)}
        oracle = pool.submit(launcher.oracle, reference)
        training |= {name: pool.submit(train, name) for name in names if name != reference}
        others = [name for name in names if float64 and name != reference]
        in_float64 = {name: pool.submit(launcher.exact, name) for name in others}
        forward = {name: pool.submit(run_forward, name) for name in forward_only}
        # Raise the first error at once, before the other recordings are done.
        futures: list[Future[Any]] = [
            *training.values(),
            oracle,
            *in_float64.values(),
            *forward.values(),
        ]
        for future in wait(futures, return_when=FIRST_EXCEPTION).done:
            future.result()
        trained = {name: training[name].result() for name in names}
        traces = {name: result[0] for name, result in trained.items()}
        exact = {name: float64_trace.result() for name, float64_trace in in_float64.items()}
        left_out = {}
        for name, forward_result in forward.items():
            result = forward_result.result()
            if isinstance(result, str):
                left_out[name] = result
                continue
            traces[name], exact_trace = result
            if exact_trace is not None:
                exact[name] = exact_trace
        return Recordings(traces, *oracle.result(), exact, *trained[reference][1:], left_out)
    except BaseException:
        launcher.stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
