"""Communication between workers by `jax.distributed` and JAX's collectives.

Values are gathered between steps by `jax.experimental.multihost_utils`; tensors are summed inside a
`jax.shard_map` over the axis `AXIS` of the workers' devices. On a CPU the messages are sent by
Gloo, on GPUs by NCCL. JAX watches over the workers: if one is lost, the communication raises
`WorkerError`, or JAX ends the process after `HEARTBEAT_SECONDS`.

    https://docs.jax.dev/en/latest/multi_process.html
"""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.multihost_utils import process_allgather

from ae_multi.errors import InputError, WorkerError, in_a_line
from ae_multi.workers.group import timeout

# Name of the mesh axis of workers.
AXIS = "workers"
# A worker without a sign of life for this long counts as lost, and JAX ends the others.
HEARTBEAT_SECONDS = 10
# Worker 0 runs JAX's coordination service and waits this long for the others to end.
LEAVE_SECONDS = 60
# Words in the messages of errors of communication.
_COMMUNICATION = ("Gloo", "NCCL", "coordination service", "DEADLINE_EXCEEDED")


def start(rank: int, size: int, address: str, port: int) -> None:
    """Join the group; see `ae_multi.backends.protocol.Collectives.start`.

    JAX itself ends the process if the other workers do not join in time.

    Raises:
        InputError: JAX has started its devices already, or the port is in use.
    """
    is_local = address in ("127.0.0.1", "localhost")
    if rank == 0:
        _check_free(address if is_local else "", port)
    try:
        jax.distributed.initialize(
            f"{address}:{port}",
            size,
            rank,
            local_device_ids=_local_device(),
            cluster_detection_method="deactivate",
            coordinator_bind_address=f"{address}:{port}" if is_local else None,
            initialization_timeout=math.ceil(timeout()),
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
            # Without a barrier: a worker that fails leaves at once, and `_leave` waits.
            shutdown_timeout_seconds=0,
        )
    except RuntimeError as error:
        if "before any JAX calls" not in str(error):
            raise
        raise InputError(
            "Expected a worker to join its group before JAX starts its devices. Received: a "
            "process in which JAX has computed. Import ae_multi before the first computation."
        ) from error
    atexit.register(_leave, rank, size)
    # Gloo connects all workers at the first message and waits for only 30 s.
    gather(b"")


def _check_free(address: str, port: int) -> None:
    """Check that worker 0 can listen on ``port``; JAX may crash otherwise."""
    try:
        socket.create_server((address, port)).close()
    except OSError as error:
        raise InputError(
            f"Expected a free port. Received: port {port} ({in_a_line(error)}). Set MASTER_PORT "
            "to another one for all workers."
        ) from error


def _local_device() -> int | None:
    """Return the number of this worker's GPU among those of its host, None for all devices."""
    local_rank = os.environ.get("LOCAL_RANK")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if not local_rank:
        return None
    return int(local_rank) % len(visible.split(",")) if visible else int(local_rank)


def gather(data: bytes) -> list[bytes]:
    """Return the bytes of each worker; see `ae_multi.backends.protocol.Collectives.gather`."""
    with communication():
        sizes = process_allgather(np.array([len(data)], np.int32))[:, 0].tolist()
        # A program is compiled for each shape, so lengths are rounded up to powers of two.
        row = np.zeros(1 << max(sizes).bit_length(), np.uint8)
        row[: len(data)] = np.frombuffer(data, np.uint8)
        rows = process_allgather(row)
    return [part[:size].tobytes() for part, size in zip(rows, sizes, strict=True)]


def all_reduce(tensors: Sequence[Any]) -> list[Any]:
    """Return sums over the workers; see `ae_multi.backends.protocol.Collectives.all_reduce`.

    It must be called in a `jax.shard_map` with ``check_vma=False`` over the axis `AXIS`. There the
    transpose of a sum over workers is a sum over workers, and all workers receive the same bits.
    """
    arrays = [jnp.asarray(tensor) for tensor in tensors]
    totals: list[Any] = [None] * len(arrays)
    for dtype in dict.fromkeys(array.dtype for array in arrays):
        places = [place for place, array in enumerate(arrays) if array.dtype == dtype]
        flat = jnp.concatenate([arrays[place].ravel() for place in places])
        ends = np.cumsum([arrays[place].size for place in places])[:-1]
        parts = jnp.split(jax.lax.psum(flat, AXIS), ends.tolist())
        for place, part in zip(places, parts, strict=True):
            totals[place] = part.reshape(arrays[place].shape)
    return totals


@contextlib.contextmanager
def communication() -> Iterator[None]:
    """Raise `WorkerError` if the communication within the block fails."""
    try:
        yield
    except (RuntimeError, ValueError) as error:  # JAX raises either
        if not any(word in str(error) for word in _COMMUNICATION):
            raise
        raise WorkerError(
            f"Expected all workers to train to the end. Received: {in_a_line(error)}. A worker has "
            "ended, or has not answered in time; its own output says why. Start all workers "
            "again, with resume=True to continue from the last checkpoint."
        ) from error


def _leave(rank: int, size: int) -> None:
    """Wait at exit until no other worker needs the coordination service of this process."""
    # The service has no public interface for this.
    from jax._src.distributed import global_state

    client = global_state.client
    failed = getattr(sys, "last_value", None) is not None  # an exception ends this process
    if client is None or failed or rank > 0:
        return

    def wait():
        with contextlib.suppress(Exception):  # another worker is lost
            # Returns when all other workers have left.
            client.get_live_nodes(list(range(size)))

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    thread.join(LEAVE_SECONDS)
