"""Chunks of data larger than memory, for repeated passes."""

from collections.abc import Callable, Iterator
from typing import Any

from ae_multi.errors import InputError


def as_passes(chunks: Any) -> Callable[[], Iterator[Any]]:
    """Return a function without arguments that starts a new pass over the chunks.

    Args:
        chunks: a list or another object whose ``__iter__`` returns a new iterator in each call, or
            a function without arguments that returns an iterator.

    Raises:
        InputError: an iterator or generator, which allows one pass only, or an object that is not
            iterable.
    """
    if callable(chunks) and not hasattr(chunks, "__iter__"):
        return lambda: iter(chunks())
    try:
        once = iter(chunks) is chunks
    except TypeError:
        once = True
    if once:
        raise InputError(
            "Expected chunks that can be iterated once for each epoch: a list, an object with "
            "__iter__, or a function that returns an iterator. "
            f"Received: {type(chunks).__name__}, which can be iterated once at most."
        )
    return lambda: iter(chunks)


def parts_of(chunk: Any) -> tuple[Any, Any]:
    """Return (X, y) of a chunk; y is None if the chunk is not a tuple."""
    if isinstance(chunk, tuple):
        if len(chunk) != 2:
            raise InputError(
                f"Expected a chunk to be X or the tuple (X, y). Received: a tuple of {len(chunk)}."
            )
        return chunk
    return chunk, None
