"""Workers as actors of Ray."""

import subprocess
import sys

import pytest

pytest.importorskip("ray")
pytestmark = [pytest.mark.backend, pytest.mark.once, pytest.mark.slow]

# The first attempt loses worker 1.
SCRIPT = """
import os, sys
flag = sys.argv[1]
def train():
    import os, signal
    from ae_multi.workers import current
    group = current()
    if group.rank == 1 and not os.path.exists(flag):
        open(flag, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    return group.gather([group.rank, group.size, os.environ.get("TF_USE_LEGACY_KERAS")])
if __name__ == "__main__":
    import ray
    ray.init(num_cpus=2)
    from ae_multi.workers import ray
    print("found", ray(train, (2, 3), restarts=1))
"""


def test_actors_are_a_group_and_are_restarted(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "flag")],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (tmp_path / "flag").exists(), done.stderr
    gathered = [[0, 2, None], [1, 2, None]]
    assert f"found {[gathered, gathered]}" in done.stdout, done.stderr
