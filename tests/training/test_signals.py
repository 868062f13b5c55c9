"""Deferral of signals to the end of a block."""

import signal

import pytest

from ae_multi.training.signals import defer_signals

pytestmark = [pytest.mark.backend, pytest.mark.once]
NAMES = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@pytest.fixture
def received(monkeypatch):
    """Return a list of the signals that the process handles."""
    numbers = []
    before = {
        number: signal.signal(number, lambda number, frame: numbers.append(number))
        for number in (getattr(signal, name) for name in NAMES)
    }
    yield numbers
    for number, handler in before.items():
        signal.signal(number, handler)


def test_signals_are_handled_after_the_block(received):
    with defer_signals():
        for name in (*NAMES, NAMES[0]):
            signal.raise_signal(getattr(signal, name))
        assert received == []
    assert received == [getattr(signal, name) for name in NAMES]


def fail_after_ctrl_c():
    with defer_signals():
        signal.raise_signal(signal.SIGINT)
        raise ZeroDivisionError


def test_signals_are_handled_if_the_block_fails(received):
    with pytest.raises(ZeroDivisionError):
        fail_after_ctrl_c()
    assert received == [signal.SIGINT]


def test_ctrl_c_takes_precedence_over_an_error_of_the_block():
    with pytest.raises(KeyboardInterrupt):
        fail_after_ctrl_c()
