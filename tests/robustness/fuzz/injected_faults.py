"""Loaders with one fault each, which the fuzzer must find."""

import contextlib
import ctypes
import os
import pickle
import subprocess
import time
from pathlib import Path

from ae_multi.errors import InputError
from tests.robustness.fuzz.loaders import Loader
from tests.robustness.fuzz.values import CODE, SECRET

_begun = set()


def _after_first_call(name):
    """Register a loader whose first call, on the valid file, does nothing; a decorator."""

    def decorate(load):
        def loaded(path):
            if name in _begun:
                load(path)
            _begun.add(name)

        LOADERS[name] = Loader(".txt", lambda: {"one": lambda path: path.write_text("x")}, loaded)
        return loaded

    return decorate


LOADERS = {}


@_after_first_call("sound")
def _sound(path):
    path.read_bytes()


@_after_first_call("sound again")
def _sound_again(path):
    path.read_bytes()


@_after_first_call("refuses")
def _refuses(path):
    raise InputError("Expected more. Received: less.")


@_after_first_call("unpickles")
def _unpickles(path):
    pickle.loads(pickle.dumps(CODE))


@_after_first_call("evaluates")
def _evaluates(path):
    eval("1 + 1")


@_after_first_call("runs")
def _runs(path):
    os.system("true")


@_after_first_call("starts")
def _starts(path):
    subprocess.run(["true"], check=True)


@_after_first_call("writes")
def _writes(path):
    with open(Path(__file__).with_name("written.tmp"), "w"):
        pass
    Path(__file__).with_name("written.tmp").unlink()


@_after_first_call("reads elsewhere")
def _reads_elsewhere(path):
    try:
        Path(SECRET).read_text()
    except FileNotFoundError as error:
        raise InputError("Expected a vocabulary. Received: none.") from error


@_after_first_call("imports")
def _imports(path):
    with contextlib.suppress(ImportError):
        __import__("antigravity.not_there")


@_after_first_call("key error")
def _key_error(path):
    {}["x"]


@_after_first_call("interrupts")
def _interrupts(path):
    raise SystemExit


@_after_first_call("eats memory")
def _eats_memory(path):
    bytearray(b"\1") * (1 << 29)


@_after_first_call("asks for memory")
def _asks_for_memory(path):
    bytearray(1 << 36)


@_after_first_call("swallows")
def _swallows(path):
    try:
        raise MemoryError
    except Exception as error:
        raise InputError(f"Expected a file. Received: {type(error).__name__}.") from error


@_after_first_call("hangs")
def _hangs(path):
    time.sleep(60)


@_after_first_call("crashes")
def _crashes(path):
    ctypes.string_at(0)


def write_seeds(folder, names):
    """Write a file for each named loader, each in its own subfolder of ``folder``."""
    for name in names:
        (Path(folder) / name).mkdir(parents=True)
        (Path(folder) / name / "one.txt").write_text("x")
