"""Parser of untrusted pickles that never executes them.

A pickle is a program for a stack machine with an instruction that calls any function of any
module. This parser interprets only the instructions that build numbers, text, lists, tuples and
dicts. It never imports the names in a pickle. A function of the caller receives each call as a
name and arguments.
"""

import pickletools
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ae_multi.errors import InputError

MAX_BYTES = 1 << 23
_DAMAGE = (
    ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, struct.error,
    RecursionError,
)  # fmt: skip
_VALUES = {
    "BINUNICODE", "SHORT_BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT",
}  # fmt: skip
_FRESH: dict[str, Callable[[], Any]] = {
    "EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "NONE": lambda: None,
    "NEWTRUE": lambda: True, "NEWFALSE": lambda: False,
}  # fmt: skip
_MARK = object()


@dataclass(frozen=True)
class Name:
    """Module and name of an object that is not imported, such as "torch FloatStorage"."""

    text: str


def parse(
    content: bytes,
    called: Callable[[str, Any], Any],
    stored: Callable[[Any], Any],
    what: str,
) -> Any:
    """Return the value that a pickle describes, without executing the pickle.

    Args:
        content: bytes of the pickle.
        called: function of (name, arguments) of a call that returns its result, or raises
            ValueError for unknown names.
        stored: function of a persistent ID, the tuple by which a pickle refers to external data,
            that returns the object in its place.
        what: content of the pickle, for error messages.

    Raises:
        InputError: the pickle is damaged, too large, or contains another instruction.
    """
    if len(content) > MAX_BYTES:
        raise InputError(
            f"Expected {what} to be at most {MAX_BYTES:,} bytes. Received: {len(content):,}."
        )
    try:
        return _interpret(content, called, stored)
    except _DAMAGE as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"Expected {what} to hold numbers and text alone. Received: {error!s:.200}."
        ) from error


def _interpret(content: bytes, called: Callable, stored: Callable) -> Any:
    stack: list[Any] = []
    memo: dict[Any, Any] = {}

    def pop_to_mark():
        position = len(stack) - 1 - stack[::-1].index(_MARK)
        items = stack[position + 1 :]
        del stack[position:]
        return items

    for opcode, argument, _ in pickletools.genops(content):
        name = opcode.name
        if name in _VALUES:
            stack.append(argument)
        elif name in _FRESH:
            stack.append(_FRESH[name]())
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "GLOBAL":
            stack.append(Name(argument))  # type: ignore[arg-type]
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            count = int(name[-1])
            stack[-count:] = [tuple(stack[-count:])]
        elif name == "TUPLE":
            stack.append(tuple(pop_to_mark()))
        elif name == "SETITEM":
            key, value = stack.pop(-2), stack.pop()
            _set_items(stack[-1], [key, value])
        elif name == "SETITEMS":
            items = pop_to_mark()
            _set_items(stack[-1], items)
        elif name == "APPEND":
            value = stack.pop()
            list.append(stack[-1], value)
        elif name == "APPENDS":
            items = pop_to_mark()
            list.extend(stack[-1], items)
        elif name == "BINPERSID":
            stack.append(stored(stack.pop()))
        elif name in ("REDUCE", "NEWOBJ"):
            arguments, function = stack.pop(), stack.pop()
            stack.append(called(function.text, arguments))
        elif name == "BUILD":
            stack.pop()  # the attributes of an OrderedDict, which are not needed
        elif name == "STOP":
            return stack.pop()
        elif name != "PROTO":
            raise ValueError(f"the instruction {name}")
    raise ValueError("no end")


def _set_items(target, items):
    """Set alternating keys and values in the dict ``target``; raise `TypeError` for others."""
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, str | int):
            raise ValueError(f"a key of the type {type(key).__name__}")
        dict.__setitem__(target, key, value)
