"""Communication between workers by `torch.distributed`: gloo on CPUs, NCCL on GPUs."""

import atexit
import contextlib
import os
import re
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed._functional_collectives as functional

from ae_multi.errors import InputError, WorkerError
from ae_multi.workers.group import timeout

# Messages of gloo and NCCL when a worker has ended or does not answer.
_LOST = re.compile(r"gloo|nccl|connection (?:closed|reset|refused)|broken pipe", re.IGNORECASE)


def start(rank: int, size: int, address: str, port: int) -> None:
    """Join the group, or use the process group that exists already.

    See `ae_multi.backends.protocol.Collectives.start`.

    Raises:
        InputError: a process group of another size or rank exists.
        WorkerError: the other workers do not join in time.
    """
    if dist.is_initialized():
        if (dist.get_rank(), dist.get_world_size()) != (rank, size):
            raise InputError(
                f"Expected a process group with rank {rank} of {size}, as RANK and WORLD_SIZE "
                f"say. Received: rank {dist.get_rank()} of {dist.get_world_size()}."
            )
        return
    with communication():
        # torchrun may listen on the port itself; only this form of initialisation knows.
        dist.init_process_group(
            _engine(rank),
            init_method="env://",
            rank=rank,
            world_size=size,
            timeout=timedelta(seconds=timeout()),
        )
    atexit.register(_leave)
    # Random layers without a seed draw from the global generators.
    seeds = gather(str(torch.initial_seed()).encode())
    if len(set(seeds)) > 1:
        torch.manual_seed(int(seeds[0]))


def _engine(rank: int) -> str:
    """Select the GPU of this worker, if there is one for each, and return the name of engines."""
    local = int(os.environ.get("LOCAL_RANK") or rank)
    workers = int(os.environ.get("LOCAL_WORLD_SIZE") or local + 1)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not count:
        return "gloo"
    torch.cuda.set_device(local % count)
    # NCCL refuses two workers on one GPU; gloo copies through the memory of the host.
    return "cpu:gloo,cuda:nccl" if workers <= count else "gloo"


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()
        # Threads of gloo release the last tensors a moment later. After the end of the interpreter
        # that would end the process by SIGABRT or SIGSEGV (in 1 of 8 runs, PyTorch 2.13).
        time.sleep(0.2)


@contextlib.contextmanager
def communication() -> Iterator[None]:
    """Raise `WorkerError` for errors of the communication within the block."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or _LOST.search(str(error)):
            last = str(error).strip().splitlines()[-1]
            # Without the line of the source of PyTorch.
            last = re.sub(r"^\[[^\]]*\] *", "", last.strip())
            last = last.partition(" This is typically caused by")[0].rstrip(".")
            raise WorkerError(
                f"Expected all workers to train to the end. Received: {last}. Another worker has "
                "ended, or has not answered in time; its own output says why. Start all workers "
                "again, with resume=True to continue from the last checkpoint."
            ) from error
        raise


def gather(data: bytes) -> list[bytes]:
    """Return the bytes of each worker; see `ae_multi.backends.protocol.Collectives.gather`."""
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    size = dist.get_world_size()
    with communication():
        lengths = [torch.zeros(1, dtype=torch.int64, device=device) for _ in range(size)]
        dist.all_gather(lengths, torch.tensor([len(data)], device=device))
        longest = max(1, *(int(length) for length in lengths))
        padded = torch.zeros(longest, dtype=torch.uint8)
        padded[: len(data)] = torch.frombuffer(bytearray(data or b"\0"), dtype=torch.uint8)[
            : len(data)
        ]
        parts = [torch.empty(longest, dtype=torch.uint8, device=device) for _ in range(size)]
        dist.all_gather(parts, padded.to(device))
    return [
        part.cpu().numpy()[: int(length)].tobytes()
        for part, length in zip(parts, lengths, strict=True)
    ]


def all_reduce(tensors: Sequence[Any]) -> list[Any]:
    """Return sums over the workers; see `ae_multi.backends.protocol.Collectives.all_reduce`."""
    sums: list[Any] = list(tensors)
    for dtype in dict.fromkeys(tensor.dtype for tensor in tensors):
        places = [place for place, tensor in enumerate(tensors) if tensor.dtype == dtype]
        chosen = [tensors[place] for place in places]
        message = _Sum.apply(torch.cat([tensor.reshape(-1) for tensor in chosen]))
        parts = message.split([tensor.numel() for tensor in chosen])
        for place, part, tensor in zip(places, parts, chosen, strict=True):
            sums[place] = part.reshape(tensor.shape)
    return sums


class _Sum(torch.autograd.Function):
    """The sum of a tensor over the workers; the gradient is the sum of the workers' gradients."""

    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor) -> torch.Tensor:
        """Return the sum."""
        return functional.wait_tensor(functional.all_reduce(tensor, "sum", dist.group.WORLD))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        """Return the sum of the gradients."""
        return _Sum.apply(gradients[0].contiguous())
