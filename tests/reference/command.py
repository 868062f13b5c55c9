"""Run ``ae-multi`` in a process of its own."""

import os
import subprocess
import sys


def run_command(*arguments, **environment):
    """Run ``ae-multi`` with these arguments and environment variables."""
    return subprocess.run(
        [sys.executable, "-m", "ae_multi", *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
