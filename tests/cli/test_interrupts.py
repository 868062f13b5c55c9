"""Signals that end a command."""

import signal
import subprocess
import sys

import pytest

WAITING = """
import sys, time
sys.argv = ["ae-multi", "info"]
import ae_multi.cli.info
def run(options):
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        print("cleaned", flush=True)
ae_multi.cli.info.run = run
from ae_multi.cli import main
main()
"""


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_a_command_with_status_130(signal_number):
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal_number)
    process.send_signal(signal_number)
    out, error = process.communicate(timeout=30)
    assert (process.returncode, out, error) == (130, "cleaned\n", "ae-multi info: interrupted\n")


SWALLOWING = """
import sys, time
sys.argv = ["ae-multi", "info"]
import ae_multi.cli.info, ae_multi.cli.interrupts
ae_multi.cli.interrupts._RAISE_AGAIN_SECONDS = ae_multi.cli.interrupts._SAME_SIGNAL_SECONDS = 0.2
def run(options):
    for _ in range(2):  # as a callback of a framework does
        try:
            print("ready", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            pass
    time.sleep(60)
ae_multi.cli.info.run = run
from ae_multi.cli import main
main()
"""


def test_swallowed_interrupt_is_raised_again():
    process = subprocess.Popen(
        [sys.executable, "-c", SWALLOWING],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert (process.returncode, error) == (130, "ae-multi info: interrupted\n")
