"""Have all the traces of a comparison recorded, two at a time where they need no GPU."""

import shutil
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass

from ae_multi.errors import InputError, WorkerError
from ae_multi.parity.trace import Trace

# Of those that only run forward; OpenVINO computes in float32 whatever it is given.
_FLOAT64_TOO = ("numpy",)


@dataclass(frozen=True)
class Recordings:
    """What is compared.

    Attributes:
        traces: dict of backend to float32 `Trace`.
        oracle: the float64 `Trace` of the reference.
        perturbed: traces of the oracle, perturbed as rounding would.
        exact: dict of other backends to float64 traces.
        ulp_perturbed: traces of the reference, perturbed by rounding.
        injected: a trace of the reference with a fault, or None.
        left_out: dict of forward-only backend to the reason why it could not take part.
    """

    traces: dict
    oracle: Trace
    perturbed: list
    exact: dict
    ulp_perturbed: list
    injected: Trace | None
    left_out: dict


def record_all(launcher, names, reference, forward_only, ulp_perturbed=None, float64=False):
    """Record what a comparison needs.

    Most of a recording is one thread's work (a framework is imported, a step compiled), so that
    two processes take little more time than one. On a GPU the first would take all memory.

    Args:
        launcher: the `TraceLauncher` of the model.
        names: backends that train.
        reference: the one among them whose float64 is the oracle.
        forward_only: dict of backends that run forward to whether it is an error if one cannot.
        ulp_perturbed: how often the reference repeats its training, perturbed; None for no curves.
        float64: whether to record the other backends in float64, too.

    Raises:
        InputError, BackendError, WorkerError: as `ae_multi.subprocesses.launcher.run`.
    """

    def train(name):
        if name == reference and ulp_perturbed is not None:
            return launcher.trace_with_perturbed(name, ulp_perturbed, injected=True)
        return launcher.trace(name), [], None

    def look(name):
        try:
            found = launcher.trace(name)
            return found, launcher.exact(name) if float64 and name in _FLOAT64_TOO else None
        except (WorkerError, InputError) as error:
            if forward_only[name]:
                raise
            return f"cannot run this model ({str(error).splitlines()[0]})"

    first = train(names[0])  # alone: its weights start the others
    pool = ThreadPoolExecutor(1 if shutil.which("nvidia-smi") else 2)
    try:
        # What takes longest comes first, so that no process is waited for alone at the end.
        oracle = pool.submit(launcher.oracle, reference)
        longest = sorted(names[1:], key=lambda name: name != reference)
        trained = {name: pool.submit(train, name) for name in longest}
        others = [name for name in names if float64 and name != reference]
        exact = {name: pool.submit(launcher.exact, name) for name in others}
        looks = {name: pool.submit(look, name) for name in forward_only}
        # Whatever fails first is told at once, and not when those before it are done.
        everybody = [*trained.values(), oracle, *exact.values(), *looks.values()]
        for each in wait(everybody, return_when=FIRST_EXCEPTION).done:
            each.result()
        trained = {names[0]: first} | {name: trained[name].result() for name in names[1:]}
        traces = {name: found[0] for name, found in trained.items()}
        exact = {name: each.result() for name, each in exact.items()}
        left_out = {}
        for name, each in looks.items():
            if isinstance(each.result(), str):
                left_out[name] = each.result()
                continue
            traces[name], in_float64 = each.result()
            if in_float64 is not None:
                exact[name] = in_float64
        return Recordings(traces, *oracle.result(), exact, *trained[reference][1:], left_out)
    except BaseException:
        launcher.stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
