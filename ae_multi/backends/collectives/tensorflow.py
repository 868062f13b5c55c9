"""Communication between workers by TensorFlow's collectives: rings on CPUs, NCCL on GPUs."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ae_multi.backends.collectives.rendezvous import exchange_addresses
from ae_multi.errors import InputError, WorkerError
from ae_multi.workers.group import timeout

# Errors of a collective when a worker has ended or does not answer.
_LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.UnavailableError,
)
_strategy: Any = None


def start(rank: int, size: int, address: str, port: int) -> None:
    """Join the group, before TensorFlow has computed anything.

    Only the collectives of `tf.distribute.MultiWorkerMirroredStrategy` are used: variables and
    models are made outside of its scope. No variable TF_CONFIG is set, which child processes would
    inherit.

    See `ae_multi.backends.protocol.Collectives.start`.

    Raises:
        InputError: TensorFlow has computed before.
        WorkerError: the other workers do not join in time.
    """
    global _strategy
    try:
        with communication():
            _strategy = _make_strategy(rank, size, address, port)
    except RuntimeError as error:
        if isinstance(error, WorkerError):
            raise
        raise InputError(
            f"Expected a worker to import ae_multi before TensorFlow computes. Received: {error}"
        ) from error


def _make_strategy(rank: int, size: int, address: str, port: int) -> Any:
    gpus = _configure(rank)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": exchange_addresses(rank, size, address, port, timeout())}),
        task_type="worker",
        task_id=rank,
        num_accelerators={"GPU": gpus},
        rpc_layer="grpc",
    )
    implementations = tf.distribute.experimental.CommunicationImplementation
    options = tf.distribute.experimental.CommunicationOptions(
        implementation=implementations.AUTO if gpus else implementations.RING,
        timeout_seconds=timeout(),
    )
    return tf.distribute.MultiWorkerMirroredStrategy(resolver, options)


def _configure(rank: int) -> int:
    """Give this worker its threads and its GPU; return the number of GPUs, 0 or 1."""
    # TensorFlow ignores the variable by which torchrun and others divide the cores.
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if threads.isdigit() and not tf.config.threading.get_intra_op_parallelism_threads():
        tf.config.threading.set_intra_op_parallelism_threads(int(threads))
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        local = int(os.environ.get("LOCAL_RANK") or rank)
        tf.config.set_visible_devices(gpus[local % len(gpus)], "GPU")
    return min(len(gpus), 1)


@contextlib.contextmanager
def communication() -> Iterator[None]:
    """Raise `WorkerError` for errors of the communication within the block."""
    try:
        yield
    except _LOST as error:
        last = " ".join(str(error.message).partition("Collective ops is aborted by: ")[2].split())
        raise WorkerError(
            f"Expected all workers to train to the end. Received: "
            f"{type(error).__name__}: {last or error.message} A worker has ended, or has not "
            "answered in time; its own output says why. Start all workers again, with resume=True "
            "to continue from the last checkpoint."
        ) from error


def gather(data: bytes) -> list[bytes]:
    """Return the bytes of each worker; see `ae_multi.backends.protocol.Collectives.gather`."""
    # The collectives have no uint8: the length in bytes is followed by the bytes, four a number.
    padded = len(data).to_bytes(4, "little") + data + bytes(-len(data) % 4)
    with communication():
        message = _concatenated(tf.constant(np.frombuffer(padded, np.int32)))
        everything = message.numpy().tobytes()
    parts = []
    while everything:
        length = int.from_bytes(everything[:4], "little")
        parts.append(everything[4 : 4 + length])
        everything = everything[4 + length + -length % 4 :]
    return parts


@tf.function(input_signature=[tf.TensorSpec([None], tf.int32)], autograph=False)
def _concatenated(values: tf.Tensor) -> tf.Tensor:
    return concatenate(values)


def concatenate(tensor: tf.Tensor) -> tf.Tensor:
    """Return the rows of a tensor of each worker, in the order of ranks; called in a program."""
    return _run(lambda context, tensor: context.all_gather(tensor, axis=0), tensor)


def all_reduce(tensors: Sequence[Any]) -> list[Any]:
    """Return sums over the workers; see `ae_multi.backends.protocol.Collectives.all_reduce`."""
    sums = [tf.convert_to_tensor(tensor) for tensor in tensors]
    for dtype in dict.fromkeys(tensor.dtype for tensor in sums):
        places = [place for place, tensor in enumerate(sums) if tensor.dtype == dtype]
        chosen = [sums[place] for place in places]
        message = _sum(tf.concat([tf.reshape(tensor, [-1]) for tensor in chosen], axis=0))
        parts = tf.split(message, [tf.size(tensor) for tensor in chosen], num=len(chosen))
        for place, part, tensor in zip(places, parts, chosen, strict=True):
            sums[place] = tf.ensure_shape(tf.reshape(part, tf.shape(tensor)), tensor.shape)
    return sums


@tf.custom_gradient
def _sum(message: tf.Tensor) -> Any:
    """Return the sum of a tensor over the workers; its gradient is the sum of their gradients."""
    total = _run(lambda context, message: context.all_reduce("SUM", message), message)
    return total, _sum


def _run(function: Any, tensor: tf.Tensor) -> tf.Tensor:
    """Return ``function(replica context, tensor)``, called as the strategy's replica."""
    (device,) = _strategy.extended.worker_devices

    def replica(tensor):
        with tf.device(device):  # a collective takes its input from its own device alone
            tensor = tf.identity(tensor)
        return function(tf.distribute.get_replica_context(), tensor)

    return _strategy.run(replica, args=(tensor,))
