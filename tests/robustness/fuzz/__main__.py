"""``nox -s fuzz``: load damaged and forged files with every loader of the package.

Each file must load as valid content or raise an `InputError`. Any other error, a crash, a hang,
excess memory and executed code are faults. Exit status: 0 without faults, 1 with faults, 2 for a
usage error.
"""

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ae_multi.cli.options import add_backend_options, check_names, comma_separated, interpreters_of
from ae_multi.cli.status import status_of
from ae_multi.environment import describe_machine
from ae_multi.io.atomic import check_writable
from ae_multi.report.json_file import write_json
from ae_multi.report.tables import console, plain_table
from tests.robustness.fuzz.launcher import LoaderProcess
from tests.robustness.fuzz.loaders import LOADERS
from tests.robustness.fuzz.plan import file_counts, make_file

FAULTS = ("error", "crash", "hang", "memory", "code")


def main(arguments=None):
    """Run as a program; return the exit status."""
    options = _parser().parse_args(arguments)
    return status_of("fuzz", lambda: _run(options))


def _parser():
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    add_backend_options(parser)
    parser.add_argument(
        "--files", type=int, default=1000, metavar="N", help="number of files for each backend"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument(
        "--number", type=int, metavar="N", help="load only this file of each loader"
    )
    parser.add_argument(
        "--loaders",
        type=comma_separated,
        default=tuple(LOADERS),
        metavar="NAMES",
        help="loaders, separated by commas (default: all)",
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep files that show a fault")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    return parser


def _run(options):
    check_names("--loaders", options.loaders, LOADERS)
    if options.json:
        check_writable(options.json, "the JSON")
    interpreters = interpreters_of(options)
    backends, _ = interpreters.available()
    loaders = {name: LOADERS[name] for name in options.loaders}
    found, out = [], console()
    for backend in backends:
        found += _fuzz(backend, interpreters.python(backend), loaders, options, out)
    faults = [entry for entry in found if entry["outcome"] in FAULTS]
    out.print(_table(found))
    for entry in faults[:50]:
        out.print(
            f"{entry['outcome']}: {entry['backend']}, {entry['loader']} {entry['number']} "
            f"({entry['done']}): {entry['detail']}",
            style="red",
            markup=False,
            soft_wrap=True,
        )
    out.print(
        f"{len(found):,} files, {len(faults)} faults.", style="bold red" if faults else "bold green"
    )
    if options.json:
        write_json(
            options.json,
            {
                "seed": options.seed,
                "files": len(found),
                "faults": faults,
                "loaders": _counts(found),
                "machine": describe_machine(),
            },
        )
    return 1 if faults else 0


def _fuzz(backend, python, loaders, options, out):
    """Load all files on one backend; return a list of dicts, the outcome of each file."""
    counts = file_counts(loaders, options.files)
    numbers = {name: range(count) for name, count in counts.items()}
    if options.number is not None:
        numbers = {name: [options.number] for name in loaders}
    total, found = sum(map(len, numbers.values())), []
    with tempfile.TemporaryDirectory() as folder, _progress() as bars:
        seeds, bar = Path(folder) / "seeds", bars.add_task(backend, total=total)
        with LoaderProcess(str(python), backend, seeds, loaders) as process:
            for name in loaders:
                begin = time.perf_counter()
                for number in numbers[name]:
                    mutation, file, content = make_file(options.seed, name, number, seeds)
                    path = Path(folder) / f"{name}-{number}" / file
                    path.parent.mkdir()
                    path.write_bytes(content)
                    found.append(
                        {
                            "backend": backend,
                            "loader": name,
                            "number": number,
                            "done": mutation,
                            "size": len(content),
                            **process.load(name, path),
                        }
                    )
                    if found[-1]["outcome"] in FAULTS and options.keep:
                        options.keep.mkdir(parents=True, exist_ok=True)
                        (options.keep / f"{backend}-{name}-{number}-{file}").write_bytes(content)
                    for remaining in path.parent.iterdir():
                        remaining.unlink()
                    path.parent.rmdir()
                    bars.advance(bar)
                if not out.is_terminal:
                    faults = sum(entry["outcome"] in FAULTS for entry in found)
                    seconds = time.perf_counter() - begin
                    print(
                        f"{backend}: {name}, {len(found):,} of {total:,} files, {faults} faults, "
                        f"{seconds:.0f} s",
                        flush=True,
                    )
    return found


def _progress():
    to = console(stderr=True)
    columns = TextColumn("{task.description:>10}"), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=to, disable=not to.is_terminal)


def _counts(found):
    """Return a dict for each backend and loader.

    It has the number of files and of each outcome, and the maximum memory in bytes and seconds.
    """
    rows = {}
    for entry in found:
        rows.setdefault((entry["backend"], entry["loader"]), []).append(entry)
    return [
        {
            "backend": backend,
            "loader": loader,
            "files": len(entries),
            **dict.fromkeys(("valid", "refused", *FAULTS), 0),
            **Counter(entry["outcome"] for entry in entries),
            "most_memory": max(entry["memory"] for entry in entries),
            "most_seconds": round(max(entry["seconds"] for entry in entries), 3),
        }
        for (backend, loader), entries in rows.items()
    ]


def _table(found):
    """Return a table with a row for each backend and loader."""
    table = plain_table("Outcomes of loading damaged and forged files")
    table.add_column("backend")
    table.add_column("loader")
    for name in ("files", "valid", "refused", *FAULTS, "max MiB", "max s"):
        table.add_column(name, justify="right")
    for row in _counts(found):
        table.add_row(
            row["backend"],
            row["loader"],
            f"{row['files']:,}",
            *(f"{row[name]:,}" for name in ("valid", "refused", *FAULTS)),
            f"{row['most_memory'] / 2**20:.0f}",
            f"{row['most_seconds']:.1f}",
        )
    return table


if __name__ == "__main__":
    raise SystemExit(main())
