"""Workers as actors of Ray, on one machine or on a cluster. Needs the package ray."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from typing import Any

from ae_multi.argument_checks import check_positive
from ae_multi.backend_selection import install_advice
from ae_multi.errors import BackendError, InputError, WorkerError, in_a_line

# Seconds to wait for the processors and GPUs of as many actors as before.
_FREE_SECONDS = 10.0


def ray(
    train: Callable[[], Any],
    workers: int | tuple[int, int],
    restarts: int = 0,
    cpus: float = 1,
    gpus: float = 0,
) -> list[Any]:
    """Call a function in each worker of a group of Ray actors.

    In the function `ae_multi.fit` is data parallel. A function that is started again has to resume
    by itself: pass ``checkpoint`` and ``resume=True`` to `fit`, with a folder that all hosts share.

    Args:
        train: function without arguments, which Ray copies to the actors.
        workers: number of actors, or (least, most): as many as the free processors and GPUs of the
            cluster suffice for. Their number has to divide the batch size.
        restarts: how many times all actors are started again after one was lost.
        cpus: number of processors of each actor.
        gpus: number of GPUs of each actor.

    Returns:
        The values that the function returns, in the order of ranks.

    Raises:
        BackendError: Ray is not installed.
        InputError: a number below 1, or fewer free processors or GPUs than the least number of
            actors needs.
        WorkerError: an actor was lost after the last restart. An exception of the function itself
            is raised as Ray raises it, without a restart.
    """
    try:
        import ray as engine
    except ImportError as error:
        raise BackendError(
            f"Expected Ray to be installed. Received: {in_a_line(error)}. Install it with: "
            f"{install_advice('ray')}."
        ) from error
    least, most = (workers, workers) if isinstance(workers, int) else workers
    check_positive(least=least, most=most, restarts=restarts + 1)
    if not engine.is_initialized():
        engine.init(log_to_driver=True)
    size = least
    for attempt in range(restarts + 1):
        size = _size(engine, least, most, size, cpus, gpus)
        actor = engine.remote(num_cpus=cpus, num_gpus=gpus)(_Worker)
        actors = [actor.remote() for _ in range(size)]
        try:
            address, port = engine.get(actors[0].address.remote())
            for rank, each in enumerate(actors):
                variables = {"RANK": rank, "WORLD_SIZE": size, "MASTER_PORT": port}
                # Ray shows each actor its own GPUs alone, so each is the first one there.
                engine.get(each.join.remote({**variables, "MASTER_ADDR": address, "LOCAL_RANK": 0}))
            return engine.get([each.run.remote(train) for each in actors])
        except engine.exceptions.RayActorError as error:
            lost = error
        except engine.exceptions.RayTaskError as error:
            # Others may see the loss before Ray does.
            if not isinstance(error.cause, WorkerError):
                raise
            lost = error
        finally:
            for each in actors:
                engine.kill(each)
        if attempt == restarts:
            break
    raise WorkerError(
        f"Expected {size} workers that finish. Received: one was lost, {in_a_line(lost)}."
    ) from lost


class _Worker:
    """Actor that runs one worker."""

    def address(self) -> tuple[str, int]:
        """Return the address of this host and a free port."""
        import ray as engine

        with socket.socket() as free:
            free.bind(("", 0))
            return engine.util.get_node_ip_address(), free.getsockname()[1]

    def join(self, variables: dict[str, Any]) -> None:
        """Set the variables of a worker, before the function and its modules are loaded."""
        # Ray sets it, and TensorFlow would use Keras 2.
        os.environ.pop("TF_USE_LEGACY_KERAS", None)
        os.environ.update({name: str(value) for name, value in variables.items()})

    def run(self, train: Callable[[], Any]) -> Any:
        """Call the function."""
        return train()


def _size(engine, least, most, wanted, cpus, gpus):
    """Return the number of actors that the free processors and GPUs suffice for.

    Those of actors that were killed become free a little later.
    """
    needs = {"CPU": cpus, "GPU": gpus}
    end = time.monotonic() + _FREE_SECONDS
    while True:
        free = engine.available_resources()
        fitting = [int(free.get(name, 0) // need) for name, need in needs.items() if need]
        size = min([most, *fitting])
        if size >= wanted or time.monotonic() > end:
            break
        time.sleep(0.2)
    if size < least:
        raise InputError(
            f"Expected free processors and GPUs for {least} workers of {cpus:g} processors and "
            f"{gpus:g} GPUs. Received: {', '.join(f'{free.get(n, 0):g} {n}' for n in needs)}."
        )
    return size
