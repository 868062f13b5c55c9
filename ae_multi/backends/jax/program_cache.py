"""Cache of compiled programs on disk, which later processes reuse.

JAX's persistent compilation cache is enabled only while a program of this package is compiled;
other programs of the process are not stored. A cache that the user has configured is used
unchanged, and a cache that the user has disabled stays disabled.

    https://docs.jax.dev/en/latest/persistent_compilation_cache.html
"""

import contextlib
import hashlib
import platform
import shutil
from collections.abc import Callable, Hashable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jax
from jax.experimental.compilation_cache import compilation_cache

from ae_multi.backend_selection import package_cache

# Programs that compile faster are not stored.
_MIN_COMPILE_SECONDS = 0.1
# When the files exceed this total size, the oldest are deleted.
_MAX_BYTES = 256e6


class Program:
    """A function compiled by `jax.jit`, loaded from the cache on disk if available.

    Args:
        function: function of pytrees of arrays.
        options: dict of compiler options.
    """

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        self.jitted = jax.jit(function, compiler_options=options)
        self._compiled: set[Hashable] = set()

    def __call__(self, key: Hashable, *arguments: Any) -> Any:
        """Return the function's value for ``arguments``.

        Args:
            key: identifies the shapes and dtypes of the arguments, for which one program is
                compiled.
            arguments: arguments of the function.
        """
        if key in self._compiled:
            return self.jitted(*arguments)
        with _persistent_cache() as folder:
            try:
                value = self.jitted(*arguments)
            except Exception:  # from the function, or from a damaged or unwritable cache file
                if folder is None:
                    raise
            else:
                self._compiled.add(key)
                return value
        value = self.jitted(*arguments)
        shutil.rmtree(folder, ignore_errors=True)  # the function succeeded without the cache
        self._compiled.add(key)
        return value


@contextlib.contextmanager
def _persistent_cache() -> Iterator[Path | None]:
    """Enable the cache unless the user has configured it; yield its folder, or None."""
    folder = _folder()
    if folder is None or jax.config.jax_compilation_cache_dir is not None:
        yield None
        return
    settings = {
        "jax_compilation_cache_dir": str(folder),
        "jax_persistent_cache_min_compile_time_secs": _MIN_COMPILE_SECONDS,
        "jax_persistent_cache_min_entry_size_bytes": 0,
        # Without this, each process would warn of the same damaged file.
        "jax_raise_persistent_cache_errors": True,
    }
    previous = {name: getattr(jax.config, name) for name in settings}
    _set(settings)
    try:
        yield folder
    finally:
        _set(previous)
        _limit(folder)


def _set(settings: dict[str, Any]) -> None:
    for name, value in settings.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()  # JAX reads its settings once


def _limit(folder: Path) -> None:
    """Delete the oldest programs while their total size exceeds the limit."""
    with contextlib.suppress(OSError):
        files = [(path.stat().st_mtime, path.stat().st_size, path) for path in folder.iterdir()]
        used = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if used <= _MAX_BYTES:
                return
            path.unlink()
            used -= size


def _folder() -> Path | None:
    """Return the folder of the programs for this processor, or None if caching is disabled."""
    root = package_cache()
    return root and root / "jax" / _processor()


@cache
def _processor() -> str:
    """Return an identifier of the instruction set: programs may not run on other processors."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        lines = [repr(platform.uname())]
    described = {
        line for line in lines if line.startswith(("model name", "flags", "Features", "uname"))
    }
    return hashlib.blake2b("\n".join(sorted(described)).encode(), digest_size=8).hexdigest()
