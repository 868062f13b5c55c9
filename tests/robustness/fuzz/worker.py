"""Loads the files named on standard input, and reports the outcome of each.

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

# Memory that loading may take, in addition to a multiple of the file's size: frameworks
# compile for new shapes.
MEMORY, TIMES = 400 << 20, 30
_ADDRESSES = 6 << 30
_NO_MEMORY = ("MemoryError", "allocate", "out of memory", "RESOURCE_EXHAUSTED", "bad_alloc")


def main(catalogue):
    """Answer requests until standard input ends."""
    # The output of libraries is not an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        # Loaders may write in this folder only, even if the clone is in the temporary folder.
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        module = importlib.import_module(catalogue)
        watching = audit.AuditHook(folder)
        os.chdir(folder)  # executed code leaves its mark here
        for line in sys.stdin:
            job = json.loads(line)
            if "seeds" in job:
                answer = _begin(module, **job)
            else:
                answer = _load(module.LOADERS[job["loader"]].load, Path(job["path"]), watching)
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
    audit.limit_memory(_ADDRESSES)
    return {"ready": True}


def _load(load, path, watching):
    size, before = path.stat().st_size, audit.current()
    exact = audit.reset_peak()
    begin = time.perf_counter()
    outcome, detail = _outcome(load, path, watching)
    seconds = time.perf_counter() - begin
    taken = audit.peak() - before if exact else 0
    if Path(MARK).exists():
        Path(MARK).unlink()
        outcome, detail = "code", f"it has left {MARK}; {detail}"
    if outcome in ("valid", "refused") and taken > MEMORY + TIMES * size:
        outcome, detail = "memory", f"{taken:,} bytes for a file of {size:,}"
    return {"outcome": outcome, "detail": detail, "seconds": seconds, "memory": max(taken, 0)}


def _outcome(load, path, watching):
    from ae_multi.errors import InputError

    watching.begin(path)
    try:
        load(path)
        outcome, detail = "valid", ""
    except InputError as error:
        outcome, detail = "refused", str(error)[:500]
        if any(word in str(error) for word in _NO_MEMORY):  # an answer is still expected
            outcome = "memory"
    except MemoryError as error:
        outcome, detail = "memory", f"MemoryError: {error}"
    except BaseException as error:
        place = error.__traceback__
        while place.tb_next:
            place = place.tb_next
        where = f"{Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}"
        outcome, detail = "error", f"{type(error).__name__} at {where}: {error!s:.300}"
    done = watching.end()
    return ("code", "; ".join(done)) if done else (outcome, detail)


if __name__ == "__main__":
    main(sys.argv[1])
