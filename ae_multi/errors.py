"""Exceptions of the package."""

import re


class InputError(ValueError):
    """Invalid input: the message says what was expected, what was received, and where."""


class BackendError(ImportError):
    """Unknown or missing backend: the message lists the available ones."""


class ExportError(RuntimeError):
    """A model cannot be exported, or the file differs from the model; no file is left."""


class DivergenceError(ArithmeticError):
    """The loss became NaN or infinite: the message names the first step."""


class WorkerError(RuntimeError):
    """A worker process ended before its job: the message contains its last output."""


def in_a_line(error: BaseException, most: int = 300) -> str:
    """Describe an exception of a library in one line, without the arguments that Keras appends.

    Args:
        error: the exception.
        most: maximum number of characters of its message.
    """
    text = str(error).partition("Arguments received by")[0]
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", text).split())
    if len(text) > most:
        text = text[: most - 1] + "…"
    return f"{type(error).__name__}: {text.rstrip('.')}"
