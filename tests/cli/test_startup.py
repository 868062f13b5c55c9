"""Notices of frameworks at startup, which commands hide."""

import os

import pytest

NOTICES = b"""\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1796014250.019727   20019 port.cc:153] oneDNN custom operations are on.
2026-11-30 04:52:05.123456: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on.
To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow.
E0000 00:00:1796014250.019727   20019 cuda_dnn.cc:8579] Unable to register cuDNN factory
out of luck
"""


def test_framework_notices_are_hidden_and_errors_shown(capfd):
    from ae_multi.cli.startup import _hidden

    with _hidden():
        os.write(2, NOTICES)
    lines = capfd.readouterr().err.splitlines()
    assert [line[:5] for line in lines] == ["E0000", "out o"]
    os.write(2, b"restored\n")
    assert capfd.readouterr().err == "restored\n"


def test_report_of_connected_workers_is_hidden_and_other_output_shown(capfd):
    from ae_multi.cli.startup import _hidden

    with _hidden():
        os.write(1, b"[Gloo] Rank 0 is connected to 1 peer ranks. Expected number is : 1\n")
        print("result")
    assert capfd.readouterr().out == "result\n"


STARTUP = """
import os, sys
import ae_multi.cli.startup as startup
startup.hide_notices()
with startup._hidden() if startup._hides else open(os.devnull):
    os.write(2, b"I0000 00:00:1796014250.019727   20019 port.cc:153] oneDNN\\n")
    print("progress", file=sys.stderr, flush=True)
"""


@pytest.mark.parametrize("level", [None, "0"])
def test_notices_are_shown_at_the_log_level_of_the_user(level, fresh_python):
    process = fresh_python(STARTUP, TF_CPP_MIN_LOG_LEVEL=level)
    assert process.returncode == 0
    shown = ["I0000", "progr"] if level else ["progr"]
    assert [line[:5] for line in process.stderr.splitlines()] == shown
