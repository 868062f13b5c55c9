"""The group of workers that this process belongs to."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from ae_multi.backend_selection import BACKENDS, select_backend
from ae_multi.errors import InputError

if TYPE_CHECKING:
    import ae_multi.backends.protocol

# Environment variables of a worker.
GROUP_VARIABLES = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
# Seconds that a worker waits for another one, unless AE_MULTI_WORKER_TIMEOUT is set.
_TIMEOUT = 600.0


@dataclass(frozen=True)
class Group:
    """The workers of a training.

    Attributes:
        rank: number of this worker, 0 to size - 1. Worker 0 decides and writes checkpoints.
        size: number of workers, at least 2.
        address: host name of worker 0.
        port: port on which worker 0 listens; MASTER_PORT, or the next one if torchrun itself
            listens on it.
    """

    rank: int
    size: int
    address: str
    port: int

    @property
    def collectives(self) -> ae_multi.backends.protocol.Collectives:
        """The communication of this group's backend."""
        return _collectives(select_backend())

    def gather(self, value: Any) -> list:
        """Return the JSON value of each worker, in the order of ranks."""
        parts = self.collectives.gather(json.dumps(value).encode())
        return [json.loads(part) for part in parts]

    def from_first(self, value: Any) -> Any:
        """Return the JSON value that worker 0 has passed."""
        return self.gather(value if self.rank == 0 else None)[0]


@cache
def current() -> Group | None:
    """Return the group of this process, or None without one; join it at the first call.

    The first call must come before the framework computes: `ae_multi._keras` makes it.

    Raises:
        InputError: environment variables that do not describe a worker.
    """
    group = group_of(os.environ)
    if group is not None and select_backend() in BACKENDS:
        group.collectives.start(group.rank, group.size, group.address, group.port)
        return group
    return None


def group_of(environment: Mapping[str, str]) -> Group | None:
    """Return the group that environment variables describe, or None for a single process.

    Raises:
        InputError: variables that do not describe a worker, or RANK without the others, with which
            each worker would train alone.
    """
    missing = [name for name in GROUP_VARIABLES if not environment.get(name)]
    if missing:
        received = environment.get("RANK")
        if received and environment.get("WORLD_SIZE") != "1":
            raise InputError(
                f"Expected {', '.join(GROUP_VARIABLES)} for a worker, or no RANK for a single "
                f"process. Received: RANK={received} without {', '.join(missing)}."
            )
        return None
    values = {name: environment[name] for name in GROUP_VARIABLES}
    try:
        rank, size, port = (int(values[name]) for name in ("RANK", "WORLD_SIZE", "MASTER_PORT"))
    except ValueError:
        rank, size, port = -1, -1, -1
    if not 0 <= rank < size:
        raise InputError(
            "Expected RANK from 0 to below WORLD_SIZE and MASTER_PORT, integers. "
            f"Received: {', '.join(f'{name}={value}' for name, value in values.items())}."
        )
    if environment.get("TORCHELASTIC_USE_AGENT_STORE") == "True":
        port += 1
    return Group(rank, size, values["MASTER_ADDR"], port) if size > 1 else None


def timeout() -> float:
    """Return the seconds after which a worker that does not answer is given up.

    The environment variable AE_MULTI_WORKER_TIMEOUT sets them.
    """
    value = os.environ.get("AE_MULTI_WORKER_TIMEOUT") or _TIMEOUT
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise InputError(
            f"Expected AE_MULTI_WORKER_TIMEOUT to be a number of seconds. Received: {value!r}."
        )
    return seconds


def _collectives(backend: str) -> Any:
    return importlib.import_module(f"ae_multi.backends.collectives.{backend}")
