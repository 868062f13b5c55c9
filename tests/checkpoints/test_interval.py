"""Intervals between checkpoints, as text."""

import pytest

from ae_multi.checkpoints import Interval
from ae_multi.errors import InputError


@pytest.mark.parametrize(
    ("text", "count", "unit"),
    [
        ("1 epoch", 1, "epoch"),
        ("3 epochs", 3, "epoch"),
        ("500 steps", 500, "step"),
        ("30 seconds", 30, "second"),
        ("5 minutes", 300, "second"),
        (" 1 hour ", 3600, "second"),
    ],
)
def test_interval_is_parsed(text, count, unit):
    assert Interval.parse(text) == (count, unit)


@pytest.mark.parametrize("text", ["epoch", "0 epochs", "-1 steps", "1.5 hours", "5 days", 5, None])
def test_invalid_interval_is_refused(text):
    with pytest.raises(InputError, match=r"'500 steps'.*'5 minutes'\. Received: "):
        Interval.parse(text)


def test_steps_left_counts_to_the_next_checkpoint():
    interval = Interval.parse("500 steps")
    assert [interval.steps_left(steps) for steps in (0, 1, 499, 500)] == [500, 499, 1, 500]
    assert Interval.parse("1 epoch").steps_left(7) is None
