"""Compiled programs that are kept on the disk, so that the next process need not compile them.

JAX's persistent compilation cache is switched on while a program of this package is compiled, and
only then: what else a process compiles is not kept. A cache that the user has set up is used as
it is, and one that the user has switched off stays off.

    https://docs.jax.dev/en/latest/persistent_compilation_cache.html
"""

import contextlib
import hashlib
import platform
import shutil
from functools import cache
from pathlib import Path

import jax
from jax.experimental.compilation_cache import compilation_cache

from ae_multi.selection import package_cache

# What compiles sooner is not worth a file, in seconds. Beyond so many bytes the oldest files go.
_MIN_COMPILE_SECONDS = 0.1
_MAX_BYTES = 256e6


class Program:
    """A function that JAX compiles, looked for on the disk first.

    Args:
        function: what `jax.jit` takes.
        options: a dict of compiler options.
    """

    def __init__(self, function, options):
        self.jitted = jax.jit(function, compiler_options=options)
        self._compiled = set()

    def __call__(self, key, *arguments):
        """The function's value; ``key`` is hashable and stands for what the program depends on."""
        if key in self._compiled:
            return self.jitted(*arguments)
        with _kept() as folder:
            try:
                value = self.jitted(*arguments)
            except Exception:  # of the function, or of a file that is damaged or cannot be written
                if folder is None:
                    raise
            else:
                self._compiled.add(key)
                return value
        value = self.jitted(*arguments)
        shutil.rmtree(folder, ignore_errors=True)  # where the function works without it
        self._compiled.add(key)
        return value


@contextlib.contextmanager
def _kept():
    """Switch the cache on, unless it is settled already; gives its folder or None."""
    folder = _folder()
    if folder is None or jax.config.jax_compilation_cache_dir is not None:
        yield None
        return
    settings = {
        "jax_compilation_cache_dir": str(folder),
        "jax_persistent_cache_min_compile_time_secs": _MIN_COMPILE_SECONDS,
        "jax_persistent_cache_min_entry_size_bytes": 0,
        # Otherwise each start of a process would warn of the same damaged file.
        "jax_raise_persistent_cache_errors": True,
    }
    before = {name: getattr(jax.config, name) for name in settings}
    _set(settings)
    try:
        yield folder
    finally:
        _set(before)
        _limit(folder)


def _set(settings):
    for name, value in settings.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()  # JAX looks at its settings once


def _limit(folder):
    """Delete the oldest programs where all of them take too much space."""
    with contextlib.suppress(OSError):
        files = [(path.stat().st_mtime, path.stat().st_size, path) for path in folder.iterdir()]
        used = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if used <= _MAX_BYTES:
                return
            path.unlink()
            used -= size


def _folder():
    """Where programs for this processor are kept, or None where there is no place."""
    place = package_cache()
    return place and place / "jax" / _processor()


@cache
def _processor():
    """A name for the instructions at hand: a program may have some that another processor lacks."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # other systems than Linux
        lines = [repr(platform.uname())]
    described = {
        line for line in lines if line.startswith(("model name", "flags", "Features", "uname"))
    }
    return hashlib.blake2b("\n".join(sorted(described)).encode(), digest_size=8).hexdigest()
