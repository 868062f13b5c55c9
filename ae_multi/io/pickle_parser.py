"""The plain values in a pickle, read without running it.

A pickle is a program for a small machine, one of whose instructions calls any function of any
module. Here a few instructions are followed by hand: those that put numbers, text, lists, tuples
and dicts together. What a pickle names is never looked up, and what it calls is handed to the
caller as a name and arguments.
"""

import pickletools
import struct
from dataclasses import dataclass

from ae_multi.errors import InputError

MAX_BYTES = 1 << 23
_DAMAGE = (
    ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, struct.error,
    RecursionError,
)  # fmt: skip
_VALUES = {
    "BINUNICODE", "SHORT_BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT",
}  # fmt: skip
_FRESH = {
    "EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "NONE": lambda: None,
    "NEWTRUE": lambda: True, "NEWFALSE": lambda: False,
}  # fmt: skip
_MARK = object()


@dataclass(frozen=True)
class Name:
    """Something of a module, "torch FloatStorage", which is not looked up."""

    text: str


def parse(content, called, stored, what):
    """The value that a pickle describes.

    Args:
        content: its bytes.
        called: function of (name, arguments) that stands for whatever is called; it raises a
            ValueError for what it does not know.
        stored: function of the tuple by which a pickle refers to what lies beside it.
        what: what it is, for the message.

    Raises:
        InputError: any other instruction than those few, or a damaged pickle.
    """
    if len(content) > MAX_BYTES:
        raise InputError(
            f"Expected {what} to be at most {MAX_BYTES:,} bytes. Received: {len(content):,}."
        )
    try:
        return _follow(content, called, stored)
    except _DAMAGE as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"Expected {what} to hold numbers and text alone. Received: {error!s:.200}."
        ) from error


def _follow(content, called, stored):
    stack, memo = [], {}

    def from_mark():
        place = len(stack) - 1 - stack[::-1].index(_MARK)
        taken = stack[place + 1 :]
        del stack[place:]
        return taken

    for opcode, argument, _ in pickletools.genops(content):
        name = opcode.name
        if name in _VALUES:
            stack.append(argument)
        elif name in _FRESH:
            stack.append(_FRESH[name]())
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "GLOBAL":
            stack.append(Name(argument))
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            count = int(name[-1])
            stack[-count:] = [tuple(stack[-count:])]
        elif name == "TUPLE":
            stack.append(tuple(from_mark()))
        elif name == "SETITEM":
            key, value = stack.pop(-2), stack.pop()
            _put(stack[-1], [key, value])
        elif name == "SETITEMS":
            taken = from_mark()
            _put(stack[-1], taken)
        elif name == "APPEND":
            value = stack.pop()
            list.append(stack[-1], value)
        elif name == "APPENDS":
            taken = from_mark()
            list.extend(stack[-1], taken)
        elif name == "BINPERSID":
            stack.append(stored(stack.pop()))
        elif name in ("REDUCE", "NEWOBJ"):
            arguments, function = stack.pop(), stack.pop()
            stack.append(called(function.text, arguments))
        elif name == "BUILD":
            stack.pop()  # what an OrderedDict has beside its entries
        elif name == "STOP":
            return stack.pop()
        elif name != "PROTO":
            raise ValueError(f"the instruction {name}")
    raise ValueError("no end")


def _put(held, taken):
    for key, value in zip(taken[::2], taken[1::2], strict=True):
        if not isinstance(key, str | int):
            raise ValueError(f"a key of the type {type(key).__name__}")
        dict.__setitem__(held, key, value)
