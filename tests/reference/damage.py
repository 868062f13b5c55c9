"""Damaged contents of files."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ae_multi.errors import InputError

STEADY = settings(
    deadline=None, derandomize=True, max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip


def outcome(read, *arguments):
    """Return what ``read`` returns, or None if it raises `InputError`."""
    try:
        return read(*arguments)
    except InputError:
        return None


def damaged(draw, content):
    """Change, cut, repeat or insert a few bytes of ``content``."""
    content = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, max(len(content) - 1, 0)))
        kind = draw(st.sampled_from(["change", "cut", "put in", "leave out"]))
        if kind == "change" and content:
            content[place] = draw(st.integers(0, 255))
        elif kind == "cut":
            del content[place:]
        elif kind == "put in":
            content[place:place] = draw(st.binary(max_size=8))
        else:
            del content[place : place + draw(st.integers(1, 8))]
    return bytes(content)
