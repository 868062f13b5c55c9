"""Sessions of nox: ``nox`` alone compares the backends, ``nox --list`` names the others.

All sessions share one environment for each backend, ``.nox/NAME``, so that tests, comparisons and
benchmarks run on the same installation.
"""

import argparse
import os
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["compare"]

FOLDER = Path(__file__).parent
PROJECT = nox.project.load_toml(FOLDER / "pyproject.toml")
BACKENDS = ("torch", "tensorflow", "jax")
# The environment without a framework: of tests that need no backend, and of parent processes.
CORE = "core"
FAMILIES = (
    "ConvAutoencoder", "DenoisingAutoencoder", "SparseAutoencoder", "ContractiveAutoencoder",
    "VariationalAutoencoder", "VectorQuantizedAutoencoder", "RestorationNetwork",
    "SegmentationNetwork",
)  # fmt: skip
TASKS = ("reduce", "denoise", "detect", "segment", "features")
# Test processes have one thread each and share what JAX has compiled on the disk.
TEST_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "JAX_COMPILATION_CACHE_DIR": str(FOLDER / ".nox" / "compiled"),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
# Sessions start many processes, which share compiled bytecode.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Sessions that run a module in the core environment, with the interpreters of the backends:
# name, what follows "python -m", options where none are given, description. The files of --json
# and --figure are written to the folder results.
MODULES = [
    ("compare", "ae_multi compare", "",
     "Train both models on every backend, side by side, and say whether they agree."),
    ("plans", "ae_multi compare --plans", "--json",
     "Train both models by every plan of each backend, and compare the plans with each other."),
    ("faults", "tests.robustness.fault_injection", "",
     "Inject every known fault into each backend in turn, and check that parity finds it."),
    ("alarms", "tests.robustness.false_positives", "",
     "Compare the stages 50 times where nothing is wrong, and count false alarms."),
    ("kills", "tests.robustness.crash_recovery", "--json",
     "Kill trainings at 200 random moments on each backend, and resume from their checkpoints."),
    ("fuzz", "tests.robustness.fuzz", "--files=1000 --json",
     "Give every loader damaged and forged files, 1,000 a backend; ``-- --files 10000`` more."),
    ("zoo", "tests.robustness.zoo", "--json",
     "Judge fifty architectures on every backend: verdict, closest margin and seconds of each."),
    ("sweep", "tests.robustness.sweep", "",
     "Compare all Keras layers between backends, in random configurations."),
    ("steps", "benchmarks.steps", "--json",
     "Time a training step by each plan and by hand; what a GPU is needed for least long."),
    ("fit_time", "benchmarks.fit_time", "--json",
     "Time the whole call of fit, by every plan, by hand and by Keras, in new processes: hours."),
    ("precision", "benchmarks.precision", "--json",
     "Measure speed and error of TF32 and bfloat16 against float32."),
    ("scaling", "benchmarks.scaling", "--json --figure",
     "Time training as batch size, width, samples and processor cores grow, one by one."),
    ("checkpoints", "benchmarks.checkpoints", "--json",
     "Time what a checkpoint after each epoch costs, and what going on from one takes."),
    ("sources", "benchmarks.sources", "--json",
     "Time training on a file in place of an array in memory, and measure its memory."),
    ("workers", "benchmarks.workers", "--json",
     "Compare trainings with 1, 2 and 4 workers, time them, and kill workers at random."),
    ("quality", "benchmarks.quality", "--json",
     "Measure what the tasks reach with their defaults, over seeds and backends: hours."),
    ("series", "benchmarks.series", "--json",
     "Measure anomaly detection in time series on faults of six kinds, beside baselines."),
    ("choices", "benchmarks.ablations", "--json",
     "Compare settings of the tasks on a part of the training data: an hour and a half."),
]  # fmt: skip


def register(name, command, defaults, description):
    """Register a session of `MODULES` with nox."""

    def run_module(session):
        arguments = options(session, name, defaults)
        run(session, CORE, "-m", *command.split(), *interpreters(session), *arguments)

    run_module.__doc__ = description
    nox.session(run_module, name=name)


for module in MODULES:
    register(*module)


@nox.session
@nox.parametrize("name", [CORE, *BACKENDS], ids=[CORE, *BACKENDS])
def tests(session, name):
    """Run the fast tests: without a backend or across several (core), and on each backend."""
    run_tests(session, name, "not slow")


@nox.session
@nox.parametrize("name", [CORE, *BACKENDS], ids=[CORE, *BACKENDS])
def checks(session, name):
    """Run what ``tests`` leaves out: slow tests, and on each backend what it runs on one."""
    run_tests(session, name, "slow or once", AE_MULTI_ALL_CHECKS="1")


@nox.session
@nox.parametrize("name", BACKENDS, ids=BACKENDS)
def nightly(session, name):
    """Run the tests of Keras's private API, then the fast tests, on Keras's development version."""
    python = environment(session, f"{name}-nightly")
    # Both packages hold the module keras, so files of the other one would remain.
    uninstall = ["-m", "pip", "uninstall", "--quiet", "--yes", "keras", "keras-nightly"]
    session.run(python, *uninstall, external=True)
    install(session, python, "--no-deps", "keras-nightly")
    for paths in (["tests/test_keras_internals.py"], session.posargs or ["tests"]):
        run_tests(session, f"{name}-nightly", "not slow", *paths)


@nox.session
def parity(session):
    """Compare this package's models step by step; ``-- MODULE:FUNCTION …`` another one."""
    command = ["-m", "ae_multi", "parity", *interpreters(session)]
    if session.posargs:
        run(session, CORE, *command, *session.posargs)
        return
    # The two models of the comparison with all stages, the others with their first steps.
    stages = ["--plans", "--epoch", "--float64", "--training", "1"]
    run(session, CORE, *command, *stages, *options(session, "parity", "--json --figure"))
    others = ["--plans", *(f"ae_multi.models:{name}" for name in FAMILIES), "--data=auto"]
    run(session, CORE, *command, *others, *options(session, "families", "--json"))


@nox.session
def tasks(session):
    """Run all tasks on JAX, or the backend of KERAS_BACKEND; ``-- detect …`` runs one."""
    name = os.environ.get("KERAS_BACKEND") or "jax"
    if session.posargs:
        run(session, name, "-m", "ae_multi", *session.posargs)
        return
    for task in TASKS:
        run(session, name, "-m", "ae_multi", task, *options(session, task, "--json --figure"))


@nox.session
def bench(session):
    """Time training and whole arrays on every backend, and of loops by hand, Keras and peers."""
    # The environment of the peers takes minutes to build.
    peers = [] if "--quick" in session.posargs else [f"--peers={environment(session, 'peers')}"]
    arguments = [*interpreters(session), *peers, *options(session, "throughput", "--json --figure")]
    run(session, CORE, "-m", "benchmarks.throughput", *arguments)


@nox.session
def detection(session):
    """Measure anomaly detection beside baselines, on ADBench, ODDS and generated tables: hours."""
    # The environment of the peers, with PyOD, takes minutes to build.
    chosen = any(option.startswith("--methods") for option in session.posargs)
    peers = [] if chosen else [f"--peers={environment(session, 'peers')}"]
    arguments = [*interpreters(session), *peers, *options(session, "detection", "--json --figure")]
    run(session, CORE, "-m", "benchmarks.detection", *arguments)


@nox.session
def exports(session):
    """Export models from every backend to every format, and measure how far the files are off."""
    # Packages of the formats are in environments of their own.
    built = environments(session, [f"{name}-export" for name in BACKENDS]).values()
    pythons = [f"--python={name}={python}" for name, python in zip(BACKENDS, built, strict=True)]
    arguments = options(session, "exports", "--json")
    run(session, CORE, "-m", "benchmarks.exports", *pythons, *arguments)


@nox.session
def figures(session):
    """Draw the README's figures again, and write recorded results into the documents' tables."""
    run(session, "jax", "docs/figures.py")
    run(session, CORE, "-m", "benchmarks.documents")


@nox.session
def lint(session):
    """Check style and formatting with ruff, ``-- --fix`` corrects them; types with mypy."""
    run(session, CORE, "-m", "ruff", "check", *session.posargs, ".")
    check = [] if "--fix" in session.posargs else ["--check"]
    run(session, CORE, "-m", "ruff", "format", *check, ".")
    run(session, CORE, "-m", "mypy")


@nox.session
def package(session):
    """Build the source distribution and from it the wheel, install the wheel and train with it."""
    python, folder = environment(session, "package"), Path(session.create_tmp()).resolve()
    for left in folder.glob("*.whl"):
        left.unlink()
    session.run(python, "-m", "build", f"--outdir={folder}", FOLDER, silent=True, external=True)
    (wheel,) = folder.glob("*.whl")
    install(session, python, "--force-reinstall", "--no-deps", wheel)
    session.chdir(folder)  # or else the clone would be imported
    for arguments in (
        ["-c", "import ae_multi; assert 'site-packages' in ae_multi.__file__"],
        ["-m", "ae_multi", "--version"],
        ["-m", "ae_multi", "train", "--model=simple", "--data=mnist-sample", "--out=model.keras"],
    ):
        session.run(python, *arguments, env={"KERAS_BACKEND": "jax"}, external=True)


@nox.session
def docs(session):
    """Build the documentation site in docs/_build/html, and run its examples on JAX."""
    strict = ["-W", "--keep-going", "-n", "-d", "docs/_build/doctrees"]
    run(session, "docs", "-m", "sphinx", *strict, *session.posargs, "docs", "docs/_build/html")


def run_tests(session, name, marks, *paths, **variables):
    """Run the tests with these marks in one environment, two files at a time."""
    if name == CORE:
        marks = f"not backend and ({marks})"
        pythons = environments(session).items()
        variables["AE_MULTI_TEST_PYTHONS"] = shlex.join(f"{key}={path}" for key, path in pythons)
    else:
        marks = f"backend and ({marks})"
        variables["KERAS_BACKEND"] = name.removesuffix("-nightly")
    command = [environment(session, name), "-m", "pytest", "--numprocesses=2", "--dist=loadfile"]
    arguments = ["-m", marks, *(paths or session.posargs or ["tests"])]
    session.run(*command, *arguments, env={**TEST_ENVIRONMENT, **variables}, external=True)


def run(session, name, *arguments):
    """Run Python in the environment ``name``."""
    env = {"KERAS_BACKEND": name} if name in BACKENDS else None
    session.run(environment(session, name), *arguments, env=env, external=True)


def options(session, name, defaults):
    """What follows ``--``, or ``defaults``, in which --json and --figure name files in results."""
    if session.posargs or not defaults:
        return session.posargs
    results = FOLDER / "results"
    results.mkdir(exist_ok=True)
    session.log(f"Results are written to {results}.")
    files = {"--json": f"{name}.json", "--figure": f"{name}.png"}
    return [f"{o}={results / files[o]}" if o in files else o for o in defaults.split()]


def interpreters(session):
    """``--python`` options for the backends that ``--backends`` names, by default all."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--backends", default=",".join(BACKENDS))
    named = parser.parse_known_args(session.posargs)[0].backends.split(",")
    # The command itself refuses other names, with a message that lists the backends.
    built = environments(session, dict.fromkeys(name for name in named if name in BACKENDS))
    return [f"--python={name}={python}" for name, python in built.items()]


def environments(session, names=BACKENDS):
    """Build environments, and the core environment with them, two at a time; name to Python."""
    wanted = [*names, CORE]
    with ThreadPoolExecutor(2) as pool:
        built = dict(zip(wanted, pool.map(partial(environment, session), wanted), strict=True))
    return {name: built[name] for name in names}


def environment(session, name):
    """Build the environment ``name`` unless it is there and up to date; return its Python."""
    groups = ["core", "test", "lint" if name == CORE else name.removesuffix("-nightly")]
    wanted = nox.project.dependency_groups(PROJECT, *groups)
    folder = FOLDER / ".nox" / name
    python = str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    stamp = folder / "requirements.txt"
    if not stamp.exists() or stamp.read_text().splitlines() != list(wanted):
        session.run(sys.executable, "-m", "virtualenv", "--clear", "--quiet", folder, external=True)
        install(session, python, "--no-compile", *wanted)  # few of the modules are imported
        install(session, python, "--no-deps", "--editable", FOLDER)
        stamp.write_text("\n".join(wanted))  # last, so that half an environment counts as none
    return python


def install(session, python, *arguments):
    """Install packages quietly into the environment of ``python``."""
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    session.run(*pip, *arguments, external=True)
