"""``ae-multi segment``: mark digits on clutter."""

import argparse

from ae_multi.cli.tasks import add_task_options, run_task

add_options = add_task_options


def run(options: argparse.Namespace) -> int:
    """Run the task; return 0."""
    return run_task("segment", options)
