"""The errors that are the caller's to mend, and that of a process which is not ours to mend."""

import re


class InputError(ValueError):
    """Something from outside does not fit; the message says what was expected, what came, where."""


class BackendError(ImportError):
    """The backend asked for is unknown or not installed; the message says which could be had."""


class ExportError(RuntimeError):
    """A model cannot be had in a format, or what was written is not the model; nothing is left."""


class DivergenceError(ArithmeticError):
    """A training's loss is no number any more; the message says since which step."""


class WorkerError(RuntimeError):
    """A child process ended before its job did; the message holds the end of what it printed."""


def in_a_line(error, most=300):
    """Describe an exception of a library in one line, without the arguments that Keras appends."""
    text = str(error).partition("Arguments received by")[0]
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", text).split())
    if len(text) > most:
        text = text[: most - 1] + "…"
    return f"{type(error).__name__}: {text.rstrip('.')}"
