"""How much a compressed file may become."""

# From however few bytes; and beyond that so many times as many. Deflate can do 1,032.
_SMALL, _RATIO = 1 << 26, 100


def most_from(held):
    """How many bytes may be unpacked from ``held`` bytes."""
    return max(_SMALL, _RATIO * held)
