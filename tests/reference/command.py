"""Run ``ae-multi`` in a separate process."""

import os
import subprocess
import sys


def run_command(*arguments, **environment):
    """Run ``ae-multi`` with these arguments and environment variables.

    Returns:
        A `subprocess.CompletedProcess` with text output.
    """
    return subprocess.run(
        [sys.executable, "-m", "ae_multi", *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
