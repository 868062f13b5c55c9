"""Data larger than memory: chunks that can be gone through again and again."""

from ae_multi.errors import InputError


def as_passes(chunks):
    """A function without arguments that begins to go through the chunks anew.

    Args:
        chunks: something to iterate over more than once (a list, or an object of one's own with
            ``__iter__``), or a function without arguments that returns an iterator.

    Raises:
        InputError: what can be gone through but once, or not at all.
    """
    if callable(chunks) and not hasattr(chunks, "__iter__"):
        return lambda: iter(chunks())
    try:
        once = iter(chunks) is chunks
    except TypeError:
        once = True
    if once:
        raise InputError(
            "Expected chunks that can be gone through once for each epoch: a list, an object with "
            "__iter__, or a function that returns an iterator. "
            f"Received: {type(chunks).__name__}, which cannot."
        )
    return lambda: iter(chunks)


def parts_of(chunk):
    """(X, y) of a chunk; y is None for a chunk of X alone."""
    if isinstance(chunk, tuple):
        if len(chunk) != 2:
            raise InputError(
                f"Expected a chunk to be X or the tuple (X, y). Received: {len(chunk)} parts."
            )
        return chunk
    return chunk, None
