"""The fuzzer finds injected faults, and each loader is fuzzed with a few files."""

import json
import random
import shutil
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.pages import ROOT
from tests.robustness.fuzz.__main__ import FAULTS, main
from tests.robustness.fuzz.launcher import LoaderProcess
from tests.robustness.fuzz.loaders import LOADERS
from tests.robustness.fuzz.mutations import mutate
from tests.robustness.fuzz.plan import file_counts, make_file

INJECTED_FAULTS = "tests.robustness.fuzz.injected_faults"


@pytest.fixture(scope="module")
def injected(tmp_path_factory):
    """Return a process with loaders that have one fault each."""
    from tests.robustness.fuzz.injected_faults import LOADERS as FAULTY

    seeds = tmp_path_factory.mktemp("injected") / "seeds"
    with LoaderProcess(sys.executable, None, seeds, FAULTY, INJECTED_FAULTS, timeout=5) as process:
        yield process


@pytest.mark.parametrize(
    ("loader", "outcome", "detail"),
    [
        ("sound", "valid", ""),
        ("refuses", "refused", "Expected more. Received: less."),
        ("unpickles", "code", "pickle.find_class"),
        ("evaluates", "code", "compile '<string>'"),
        ("runs", "code", "os.system"),
        ("starts", "code", "subprocess.Popen"),
        ("writes", "code", "to write"),
        ("reads elsewhere", "code", "no part of the file"),
        ("imports", "code", "import antigravity"),
        ("key error", "error", "KeyError at injected_faults.py"),
        ("interrupts", "error", "SystemExit"),
        ("eats memory", "memory", "bytes for a file of"),
        ("asks for memory", "memory", "MemoryError"),
        ("swallows", "memory", "MemoryError"),
        ("hangs", "hang", "more than 5 s"),
        ("crashes", "crash", "status -11"),
        ("sound again", "valid", ""),
    ],
)
def test_injected_fault_is_found(injected, tmp_path, loader, outcome, detail):
    if loader == "asks for memory" and sys.platform != "linux":
        pytest.skip("the address space is limited only on Linux")
    (tmp_path / "file").write_bytes(b"content")
    found = injected.load(loader, tmp_path / "file")
    assert (found["outcome"], detail in found["detail"]) == (outcome, True), found


def test_file_is_a_function_of_seed_loader_and_number(tmp_path):
    seeds = tmp_path / "seeds"
    for name in ("idx", "npz", "plans"):
        (seeds / name).mkdir(parents=True)
        for seed, write in LOADERS[name].seeds().items():
            write(seeds / name / f"{seed}{LOADERS[name].suffix}")
        ones, others = (
            [make_file(3, name, number, seeds) for number in range(20)] for _ in range(2)
        )
        assert ones == others
        assert len({content for _, _, content in ones}) > 10


def test_files_are_distributed_by_share():
    counts = file_counts(LOADERS, 1000)
    assert sum(counts.values()) == 1000
    assert min(counts.values()) > 20
    assert counts["models"] > 2 * counts["idx"]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.integers(0, 2**64), st.binary(max_size=200), st.binary(max_size=50))
def test_any_content_can_be_mutated(seed, content, other):
    description, mutated = mutate(random.Random(seed), content, other)
    assert isinstance(description, str)
    assert isinstance(mutated, bytes)


def test_unknown_loader_is_refused(capsys):
    assert main(["--loaders", "nonsense"]) == 2
    assert "Expected --loaders among models" in capsys.readouterr().err


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    """Return (process that loads files on this backend, folder of valid files)."""
    from ae_multi._keras import keras

    seeds = tmp_path_factory.mktemp("fuzz") / "seeds"
    with LoaderProcess(
        sys.executable, keras.config.backend(), seeds, LOADERS, timeout=60
    ) as process:
        yield process, seeds


@pytest.mark.slow
@pytest.mark.backend
@pytest.mark.once
@pytest.mark.parametrize("loader", LOADERS)
def test_files_load_or_are_refused(process, loader, tmp_path):
    process, seeds = process

    @settings(max_examples=25, deadline=None, derandomize=True, database=None)
    @given(st.integers(0, 2**32))
    def check(number):
        mutation, file, content = make_file("test", loader, number, seeds)
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / file).write_bytes(content)
        found = process.load(loader, folder / file)
        shutil.rmtree(folder)
        assert found["outcome"] not in FAULTS, (mutation, found)

    check()


def test_files_page_contains_the_recorded_counts():
    page = (ROOT / "docs" / "files.md").read_text()
    names = ("fuzz", "fuzz-tensorflow", "fuzz-jax")
    runs = [
        json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text()) for name in names
    ]
    assert [run["files"] for run in runs] == [10_000, 2500, 2500]
    assert not any(run["faults"] for run in runs)
    for name in {row["loader"] for run in runs for row in run["loaders"]}:
        assert name in LOADERS
        cells = [
            next((_cell(row) for row in run["loaders"] if row["loader"] == name), "")
            for run in runs
        ]
        assert f"| {name} | {' | '.join(cells)} |" in page


def _cell(row):
    return f"{row['files']:,} / {row['valid']:,}"
