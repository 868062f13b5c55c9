"""Load the files named on standard input, and write the outcome of each to standard output.

Started as ``python -m tests.robustness.fuzz.worker CATALOGUE``, where CATALOGUE is a module with
``LOADERS``.
"""

import importlib
import json
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

from tests.robustness.fuzz import audit
from tests.robustness.fuzz.values import MARK

# Loading may take these bytes, since frameworks compile for new shapes, and this multiple of the
# size of the file.
MEMORY, TIMES = 400 << 20, 30
_ADDRESS_SPACE = 6 << 30  # bytes
_NO_MEMORY = ("MemoryError", "allocate", "out of memory", "RESOURCE_EXHAUSTED", "bad_alloc")


def main(catalogue):
    """Answer requests until standard input ends."""
    # Libraries print to standard output, which therefore becomes standard error.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        # Loaders may write in this folder only, even if the clone is in the temporary folder.
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        module = importlib.import_module(catalogue)
        hook = audit.AuditHook(folder)
        os.chdir(folder)  # executed code creates `MARK` here
        for line in sys.stdin:
            job = json.loads(line)
            if "seeds" in job:
                answer = _begin(module, **job)
            else:
                answer = _load(module.LOADERS[job["loader"]].load, Path(job["path"]), hook)
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


def _begin(module, seeds, loaders):
    """Write the seeds unless they exist; load each once, so that lazy imports are done."""
    if not Path(seeds).exists():
        module.write_seeds(seeds, loaders)
    for name in loaders:
        for path in sorted((Path(seeds) / name).iterdir()):
            with tempfile.TemporaryDirectory() as folder:
                copy = Path(folder) / path.name
                copy.write_bytes(path.read_bytes())
                module.LOADERS[name].load(copy)
    audit.limit_memory(_ADDRESS_SPACE)
    return {"ready": True}


def _load(load, path, hook):
    """Load ``path``; return a dict of outcome, detail, seconds, and memory in bytes."""
    size, before = path.stat().st_size, audit.current()
    exact = audit.reset_peak()
    begin = time.perf_counter()
    outcome, detail = _outcome(load, path, hook)
    seconds = time.perf_counter() - begin
    taken = audit.peak() - before if exact else 0
    if Path(MARK).exists():
        Path(MARK).unlink()
        outcome, detail = "code", f"created {MARK}; {detail}"
    if outcome in ("valid", "refused") and taken > MEMORY + TIMES * size:
        outcome, detail = "memory", f"{taken:,} bytes for a file of {size:,}"
    return {"outcome": outcome, "detail": detail, "seconds": seconds, "memory": max(taken, 0)}


def _outcome(load, path, hook):
    from ae_multi.errors import InputError

    hook.begin(path)
    try:
        load(path)
        outcome, detail = "valid", ""
    except InputError as error:
        outcome, detail = "refused", str(error)[:500]
        if any(word in str(error) for word in _NO_MEMORY):
            outcome = "memory"
    except MemoryError as error:
        outcome, detail = "memory", f"MemoryError: {error}"
    except BaseException as error:
        last = error.__traceback__
        while last.tb_next:
            last = last.tb_next
        where = f"{Path(last.tb_frame.f_code.co_filename).name}:{last.tb_lineno}"
        outcome, detail = "error", f"{type(error).__name__} at {where}: {error!s:.300}"
    events = hook.end()
    return ("code", "; ".join(events)) if events else (outcome, detail)


if __name__ == "__main__":
    main(sys.argv[1])
