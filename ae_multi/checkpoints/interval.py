"""Interval between checkpoints, parsed from text."""

import re
from typing import NamedTuple

from ae_multi.errors import InputError

_SECONDS = {"second": 1, "minute": 60, "hour": 3600}
_FORM = re.compile(r"(\d+) (epoch|step|second|minute|hour)s?")


class Interval(NamedTuple):
    """Number of epochs, steps or seconds from one checkpoint to the next.

    Attributes:
        count: the number, at least 1.
        unit: "epoch", "step" or "second".
    """

    count: int  # type: ignore[assignment]  # hides tuple.count
    unit: str

    @classmethod
    def parse(cls, text: str) -> "Interval":
        """Parse a text such as "1 epoch", "3 epochs", "500 steps", "30 seconds" or "5 minutes".

        Raises:
            InputError: any other text; the message lists the valid forms.
        """
        match = _FORM.fullmatch(text.strip()) if isinstance(text, str) else None
        if match is None or int(match[1]) < 1:
            raise InputError(
                "Expected checkpoint_every to be a number of epochs, steps, seconds, minutes or "
                "hours, such as '1 epoch', '3 epochs', '500 steps', '30 seconds' or '5 minutes'. "
                f"Received: {text!r}."
            )
        count, unit = int(match[1]), match[2]
        return cls(count * _SECONDS[unit], "second") if unit in _SECONDS else cls(count, unit)

    def steps_left(self, done: int) -> int | None:
        """Return the steps until the next checkpoint, after ``done`` steps of the training.

        None if the unit is not "step".
        """
        return self.count - done % self.count if self.unit == "step" else None
