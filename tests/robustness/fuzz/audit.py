"""Audit of a process that loads a file: executed code, programs, written files, memory."""

import os
import re
import sys
from pathlib import Path

from tests.robustness.fuzz.values import SECRET

# Audit events of Python that no loader needs.
FORBIDDEN = {
    "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile",
    "os.symlink", "os.link", "os.chmod", "os.chown", "os.kill",
    "subprocess.Popen", "pty.spawn", "socket.connect", "socket.bind", "socket.getaddrinfo",
    "urllib.Request", "pickle.find_class", "webbrowser.open", "code.__new__",
    "function.__new__", "builtins.input", "cpython.run_command", "cpython.run_file",
}  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Events that write to the disk: positions of paths and folder descriptors in their arguments.
_PATHS = {"os.remove": (0,), "os.rmdir": (0,), "os.mkdir": (0,), "os.rename": (0, 1)}
_FOLDERS = {"os.remove": (1,), "os.rmdir": (1,), "os.mkdir": (2,), "os.rename": (2, 3)}
_FRAMEWORKS = re.compile(r"site-packages[/\\](torch|tensorflow|jax|jaxlib|sympy|gast)[/\\]")
# Source files of Python's import system.
_IMPORTING = re.compile(r"<frozen importlib|importlib[/\\]")


class AuditHook:
    """Records events between `begin` and `end`; audit hooks cannot be removed.

    Args:
        folder: folder where files may be written, in addition to that of the loaded file.
    """

    def __init__(self, folder):
        self._events, self._on = [], False
        self._known = set()
        self._folder = self._file_folder = os.path.realpath(folder)
        sys.addaudithook(self._record)

    def begin(self, path):
        """Start recording for the loading of ``path``; loaded modules may be imported again."""
        self._file_folder = os.path.realpath(path.parent)
        self._known = {name.partition(".")[0] for name in sys.modules}
        self._events, self._on = [], True

    def end(self):
        """Stop recording; return the forbidden events, at most 20 lines of text."""
        self._on = False
        return self._events

    def _record(self, event, arguments):
        if not self._on:
            return
        self._on = False  # ignore the events that this method itself causes
        try:
            description = self._describe_event(event, arguments)
            if description and len(self._events) < 20:
                self._events.append(f"{event} {description:.200}")
        finally:
            self._on = True

    def _describe_event(self, event, arguments):
        """Return the description of a forbidden event, or None for others."""
        if event in FORBIDDEN:
            return repr(arguments) + _callers()
        if event == "import":
            known = arguments[0].partition(".")[0] in self._known | set(sys.stdlib_module_names)
            forbidden = arguments[0] in ("antigravity", "this", "subprocess", "pty")
            return arguments[0] if forbidden or not known else None
        if event == "compile":
            return _describe_code(*arguments)
        if event == "marshal.loads":
            return None if _IMPORTING.search(sys._getframe(3).f_code.co_filename) else "code"
        if event in _PATHS:
            places = zip(_PATHS[event], _FOLDERS[event], strict=True)
            paths = [_absolute(arguments[path], arguments[folder]) for path, folder in places]
            return next((path for path in paths if not self._is_writable(path)), None)
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, int) or path is None:
                return None
            if os.fsdecode(path) in (SECRET, "/etc/passwd", "/tmp/secret.h5"):
                return f"{path!r}, which is no part of the file"
            if isinstance(flags, int) and flags & _WRITING and not self._is_writable(path):
                return f"{path!r} to write"
        return None

    def _is_writable(self, path):
        """Return whether a loader may write to ``path``."""
        path = os.path.realpath(os.fsdecode(path))
        folders = (self._folder + os.sep, self._file_folder + os.sep)
        return path == os.devnull or (path + os.sep).startswith(folders)


def _describe_code(text, name):
    """Describe code compiled from text; return None for libraries that always compile."""
    frame = sys._getframe(3)
    caller = frame.f_code.co_filename
    # NumPy parses headers into syntax trees without running them. Frameworks generate code.
    if text is None or caller.endswith("ast.py") or _FRAMEWORKS.search(caller):
        return None
    while frame:  # a lazily imported module defines classes
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return None
        frame = frame.f_back
    return f"{name!r}: {text!r:.80}" + _callers()


def _absolute(path, folder):
    """Return the absolute form of a path relative to an open folder's descriptor."""
    path = os.fsdecode(path)
    if isinstance(folder, int) and folder >= 0 and not os.path.isabs(path):
        path = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), path)
    return path


def _callers():
    """Return the files and lines of the six innermost callers as text."""
    frame, names = sys._getframe(3), []
    while frame and len(names) < 6:
        names.append(f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}")
        frame = frame.f_back
    return " by " + " < ".join(names)


def reset_peak():
    """Reset the peak memory of this process; return whether that is possible (on Linux only)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak():
    """Return the peak memory since `reset_peak` in bytes, or 0 if unknown."""
    try:
        text = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return int(re.search(r"VmHWM:\s+(\d+) kB", text)[1]) * 1024


def current():
    """Return the memory in use in bytes, or 0 if unknown."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def limit_memory(more):
    """Limit the address space to ``more`` bytes beyond the current use, where possible."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):
        return
    now = pages * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (now + more, resource.RLIM_INFINITY))
