"""How often a checkpoint is written, in words."""

import re
from typing import NamedTuple

from ae_multi.errors import InputError

_SECONDS = {"second": 1, "minute": 60, "hour": 3600}
_FORM = re.compile(r"(\d+) (epoch|step|second|minute|hour)s?")


class Interval(NamedTuple):
    """So many epochs, steps or seconds from one checkpoint to the next.

    Attributes:
        count: how many, at least 1.
        unit: "epoch", "step" or "second".
    """

    count: int
    unit: str

    @classmethod
    def parse(cls, text):
        """What ``text`` says: "1 epoch", "3 epochs", "500 steps", "30 seconds", "5 minutes".

        Raises:
            InputError: another text; the message says which forms there are.
        """
        found = _FORM.fullmatch(text.strip()) if isinstance(text, str) else None
        if found is None or int(found[1]) < 1:
            raise InputError(
                "Expected checkpoint_every to be a number of epochs, steps, seconds, minutes or "
                "hours, such as '1 epoch', '3 epochs', '500 steps', '30 seconds' or '5 minutes'. "
                f"Received: {text!r}."
            )
        count, unit = int(found[1]), found[2]
        return cls(count * _SECONDS[unit], "second") if unit in _SECONDS else cls(count, unit)

    def steps_left(self, done):
        """Steps until the next is due, when ``done`` steps of the training are; None: never."""
        return self.count - done % self.count if self.unit == "step" else None
