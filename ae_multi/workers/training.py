"""Conditions under which a training can be split over the workers of a group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from ae_multi.errors import InputError

if TYPE_CHECKING:
    from ae_multi.workers.group import Group


def check_batch_size(group: Group | None, batch_size: int) -> None:
    """Raise an error unless the workers can split a batch evenly.

    Raises:
        InputError: the number of workers does not divide ``batch_size``; the message has the next
            sizes that fit.
    """
    if group is None or batch_size % group.size == 0:
        return
    lower = batch_size // group.size * group.size
    sizes = [size for size in (lower, lower + group.size) if size]
    raise InputError(
        f"Expected a batch size that {group.size} workers divide, such as "
        f"{' or '.join(map(str, sizes))}. Received: {batch_size}."
    )


def check_arguments(group: Group | None, arguments: dict[str, Any]) -> None:
    """Raise an error unless all workers train with the same arguments.

    Workers with other numbers of steps would wait for each other.

    Args:
        group: the group, or None for a single process.
        arguments: JSON values by name.

    Raises:
        InputError: a value differs; the message has that of each worker.
    """
    if group is None:
        return
    of_workers = group.gather(arguments)
    for name in arguments:
        values = [other.get(name) for other in of_workers]
        if any(value != values[0] for value in values):
            received = ", ".join(f"{value} on worker {rank}" for rank, value in enumerate(values))
            raise InputError(
                f"Expected all data and the same arguments on each worker. Received: {name} "
                f"{received}."
            )


def refuse(reason: str) -> NoReturn:
    """Raise the error for a training that cannot be split.

    Args:
        reason: why not, as a clause.

    Raises:
        InputError: always.
    """
    raise InputError(
        "Expected arrays or an ae_multi.source and a model with Keras's own train_step, to train "
        f"in a group of workers. Received: {reason}. Train it in a single process, without the "
        "environment variables RANK and WORLD_SIZE."
    )
