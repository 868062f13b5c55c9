"""Data larger than memory, as chunks that are read once in each epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ae_multi.errors import InputError


class Chunks:
    """Chunks that a function generates again for each pass over the data.

    Args:
        generate: function without arguments that returns an iterator of chunks.
    """

    def __init__(self, generate: Callable[[], Iterable[Any]]) -> None:
        self._generate = generate

    def __iter__(self) -> Iterator[Any]:
        return iter(self._generate())


def reiterable(chunks: Any) -> Iterable[Any]:
    """Return ``chunks`` as an object that can be iterated over once for each epoch.

    Args:
        chunks: a list, another object with ``__iter__``, or a function without arguments that
            returns an iterator.

    Raises:
        InputError: an iterator, which can be read once only, or no iterable.
    """
    if callable(chunks) and not hasattr(chunks, "__iter__"):
        return Chunks(chunks)
    try:
        is_iterator = iter(chunks) is chunks
    except TypeError:
        is_iterator = True
    if is_iterator:
        raise InputError(
            "Expected chunks that can be iterated once for each epoch: a list, an object with "
            "__iter__, or a function that returns an iterator. "
            f"Received: {type(chunks).__name__}, which can be iterated once at most."
        )
    return chunks


def parts_of(chunk: Any) -> tuple[Any, Any]:
    """Return (X, y) of a chunk; y is None for a chunk of X alone."""
    if isinstance(chunk, tuple):
        if len(chunk) != 2:
            raise InputError(
                f"Expected a chunk to be X or the tuple (X, y). Received: a tuple of {len(chunk)}."
            )
        return chunk
    return chunk, None
