"""Options and start of the worker processes of ``ae-multi train``."""

import argparse
import math
import os
import sys

from ae_multi.argument_checks import check_positive
from ae_multi.backend_selection import select_training_backend
from ae_multi.cli.startup import show_notices
from ae_multi.errors import InputError
from ae_multi.workers.group import Group, group_of
from ae_multi.workers.launched import is_launched
from ae_multi.workers.launcher import launch
from ae_multi.workers.training import check_batch_size

# Seconds without a step after which a worker counts as hung.
_TIMEOUT = 600.0


def add_worker_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--workers``, ``--restarts`` and ``--worker-timeout``."""
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="number of processes on this machine that share each batch; --batch-size, of which it "
        "must be a divisor, stays the size of the complete batch (default: 1)",
    )
    parser.add_argument(
        "--restarts",
        type=int,
        metavar="N",
        help="how many times to start all workers again after one has failed, from the newest "
        "checkpoint, or without --checkpoint from the beginning (default: 0)",
    )
    parser.add_argument(
        "--worker-timeout",
        type=float,
        metavar="SECONDS",
        help="time without a step after which a worker has failed, longer than start and "
        f"compilation take (default: {_TIMEOUT:g})",
    )


def has_to_launch(options: argparse.Namespace) -> bool:
    """Return whether this process starts workers, and check the options.

    Raises:
        InputError: options that do not fit together.
    """
    received = [
        f"--{name.replace('_', '-')}"
        for name in ("workers", "restarts", "worker_timeout")
        if getattr(options, name) is not None
    ]
    if is_launched():
        return False
    group = group_of(os.environ)
    if group is not None:
        if received:
            raise InputError(
                f"Expected either {received[0]} or a launcher that sets RANK and WORLD_SIZE, such "
                f"as torchrun. Received: both, with WORLD_SIZE={group.size}."
            )
        check_batch_size(group, options.batch_size)
        return False
    check_positive(workers=options.workers)
    if options.restarts is not None and options.restarts < 0:
        raise InputError(f"Expected --restarts of at least 0. Received: {options.restarts}.")
    timeout = options.worker_timeout
    if timeout is not None and not (timeout > 0 and math.isfinite(timeout)):
        raise InputError(f"Expected --worker-timeout above 0 seconds. Received: {timeout:g}.")
    check_batch_size(Group(0, options.workers or 1, "127.0.0.1", 0), options.batch_size)
    return bool(received) and (options.workers or 1, options.restarts or 0, timeout) != (1, 0, None)


def launch_training(options: argparse.Namespace) -> int:
    """Start ``ae-multi train`` with the same arguments in each worker; return the exit status."""
    select_training_backend()  # so that one process says that it is missing

    show_notices()

    def command(attempt):
        resume = ["--resume"] if attempt and options.checkpoint and not options.resume else []
        return [sys.executable, "-m", "ae_multi", *options.arguments, *resume]

    def warn(line):
        print(f"ae-multi train: {line}", file=sys.stderr, flush=True)

    timeout = _TIMEOUT if options.worker_timeout is None else options.worker_timeout
    return launch(command, options.workers or 1, options.restarts or 0, timeout, warn)
