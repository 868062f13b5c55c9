"""The project's jobs: ``nox`` alone compares the backends, ``nox --list`` names the others.

Each backend has one environment, ``.nox/NAME``, which all jobs share: a framework is large, and
what is compared, tested and timed should be the same installation.
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

BACKENDS = ("torch", "tensorflow", "jax")
# "core" holds no framework: the parent of the others, and what needs no backend, run there.
CORE = "core"
# Models of this package whose first steps are compared on MNIST.
FAMILIES = (
    "ConvAutoencoder",
    "DenoisingAutoencoder",
    "SparseAutoencoder",
    "ContractiveAutoencoder",
    "VariationalAutoencoder",
    "VectorQuantizedAutoencoder",
    "RestorationNetwork",
    "SegmentationNetwork",
)
FOLDER = Path(__file__).parent
ROBUSTNESS = "tests.robustness"
PROJECT = nox.project.load_toml(FOLDER / "pyproject.toml")
# Tests run in two processes, a file in one of them: small networks keep no more than a core busy.
IN_TWO = ("--numprocesses=2", "--dist=loadfile")
# Each process of the tests has one thread, and what JAX has compiled in one the others find on the
# disk; programs are so small that compiling them takes most of the time.
FOR_TESTS = {
    "OMP_NUM_THREADS": "1",
    "JAX_COMPILATION_CACHE_DIR": str(FOLDER / ".nox" / "compiled"),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
# Jobs start many processes, which should find what Python has compiled, too. An installation
# compiles nothing: of tens of thousands of modules a few thousand are ever imported.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
TASKS = ("reduce", "denoise", "detect", "segment", "features")


@nox.session
def compare(session):
    """Train both models on every backend, side by side, and say whether they agree."""
    run_in_core(session, "-m", "ae_multi", "compare", *interpreters(session), *session.posargs)


@nox.session
@nox.parametrize("name", [CORE, *BACKENDS], ids=[CORE, *BACKENDS])
def tests(session, name):
    """Run the test suite once for what needs no backend or all of them, and on each backend."""
    arguments = [*IN_TWO, *(session.posargs or ["tests"])]
    # Not for the whole of nox: a job behind this one may be a benchmark.
    if name == CORE:
        which, env = "not backend", {"AE_MULTI_TEST_PYTHONS": pythons_for_tests(session)}
    else:
        which, env = "backend", {"KERAS_BACKEND": name}
    session.run(
        environment(session, name),
        "-m",
        "pytest",
        "-m",
        which,
        *arguments,
        env={**FOR_TESTS, **env},
        external=True,
    )


@nox.session
@nox.parametrize("name", BACKENDS, ids=BACKENDS)
def checks(session, name):
    """Run on each backend what the tests leave to one, all of scikit-learn's checks with it."""
    session.run(
        environment(session, name),
        "-m",
        "pytest",
        "-m",
        "once",
        *(session.posargs or ["tests"]),
        env={"KERAS_BACKEND": name, "AE_MULTI_ALL_CHECKS": "1"},
        external=True,
    )


@nox.session
def parity(session):
    """Compare this package's models step by step; ``-- MODULE:FUNCTION …`` another one."""
    command = ["-m", "ae_multi", "parity", *interpreters(session)]
    if session.posargs:
        run_in_core(session, *command, *session.posargs)
        return
    # The two models of the comparison with all stages, the others with their first steps.
    report, command = kept(session, "parity"), [*command, "--plans"]
    run_in_core(session, *command, "--epoch", "--float64", "--training", "1", *report)
    others = [f"ae_multi.models:{name}" for name in FAMILIES]
    run_in_core(session, *command, *others, "--data=auto", *kept(session, "families")[:1])


@nox.session
def plans(session):
    """Train both models by every plan of each backend, and compare the plans with each other."""
    plans = ["-m", "ae_multi", "compare", "--plans", *interpreters(session)]
    run_in_core(session, *plans, *(session.posargs or kept(session, "plans")[:1]))


@nox.session
def faults(session):
    """Plant every known fault in each backend in turn, and see that the comparison finds it."""
    run_in_core(
        session, "-m", f"{ROBUSTNESS}.fault_injection", *interpreters(session), *session.posargs
    )


@nox.session
def alarms(session):
    """Compare the stages 50 times where nothing is wrong, and count false alarms."""
    run_in_core(
        session, "-m", f"{ROBUSTNESS}.false_positives", *interpreters(session), *session.posargs
    )


@nox.session
def kills(session):
    """Kill trainings at 200 random moments on each backend, and go on from their checkpoints."""
    arguments = session.posargs or kept(session, "kills")[:1]
    run_in_core(session, "-m", f"{ROBUSTNESS}.crash_recovery", *interpreters(session), *arguments)


@nox.session
def fuzz(session):
    """Give every loader damaged and forged files, 1,000 a backend; ``-- --files 10000`` more."""
    arguments = session.posargs or ["--files=1000", *kept(session, "fuzz")[:1]]
    run_in_core(session, "-m", f"{ROBUSTNESS}.fuzz", *interpreters(session), *arguments)


@nox.session
def sweep(session):
    """Compare all Keras layers between backends, in random configurations."""
    run_in_core(session, "-m", f"{ROBUSTNESS}.sweep", *interpreters(session), *session.posargs)


@nox.session
def lint(session):
    """Check style and formatting with ruff; ``-- --fix`` mends what can be mended."""
    run_in_core(session, "-m", "ruff", "check", *session.posargs, ".")
    check = [] if "--fix" in session.posargs else ["--check"]
    run_in_core(session, "-m", "ruff", "format", *check, ".")


@nox.session
def package(session):
    """Build the source distribution and from it the wheel, install the wheel and train with it."""
    python, folder = environment(session, "package"), Path(session.create_tmp()).resolve()
    for left in folder.glob("*.whl"):
        left.unlink()
    session.run(python, "-m", "build", f"--outdir={folder}", FOLDER, silent=True, external=True)
    (wheel,) = folder.glob("*.whl")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    session.run(*install, "--force-reinstall", "--no-deps", wheel, external=True)
    session.chdir(folder)  # or else the clone would be imported
    for arguments in (
        ["-c", "import ae_multi; assert 'site-packages' in ae_multi.__file__"],
        ["-m", "ae_multi", "--version"],
        ["-m", "ae_multi", "train", "--model=simple", "--data=mnist-sample", "--out=model.keras"],
    ):
        session.run(python, *arguments, env={"KERAS_BACKEND": "jax"}, external=True)


@nox.session
def tasks(session):
    """Run all tasks on JAX, or the backend of KERAS_BACKEND; ``-- detect …`` runs one as asked."""
    name = os.environ.get("KERAS_BACKEND") or "jax"
    runs = [[task, *kept(session, task)] for task in TASKS]
    for arguments in [session.posargs] if session.posargs else runs:
        session.run(
            environment(session, name),
            "-m",
            "ae_multi",
            *arguments,
            env={"KERAS_BACKEND": name},
            external=True,
        )


@nox.session
def bench(session):
    """Time training and whole arrays on every backend, beside loops by hand, Keras and peers."""
    # The environment of the peers takes minutes to build.
    peers = [] if "--quick" in session.posargs else [f"--peers={environment(session, 'peers')}"]
    run_in_core(
        session,
        "-m",
        "benchmarks.throughput",
        *interpreters(session),
        *peers,
        *(session.posargs or kept(session, "throughput")),
    )


@nox.session
def steps(session):
    """Time a training step by each plan and by hand; what a GPU is needed for least long."""
    arguments = session.posargs or kept(session, "steps")[:1]
    run_in_core(session, "-m", "benchmarks.steps", *interpreters(session), *arguments)


@nox.session
def fit_time(session):
    """Time the whole call of fit, by every plan, by hand and by Keras, in new processes: hours."""
    arguments = session.posargs or kept(session, "fit_time")[:1]
    run_in_core(session, "-m", "benchmarks.fit_time", *interpreters(session), *arguments)


@nox.session
def precision(session):
    """What TF32 and bfloat16 buy and cost beside float32."""
    arguments = session.posargs or kept(session, "precision")[:1]
    run_in_core(session, "-m", "benchmarks.precision", *interpreters(session), *arguments)


@nox.session
def scaling(session):
    """Time training as batch size, width, samples and processor cores grow, one by one."""
    arguments = session.posargs or kept(session, "scaling")
    run_in_core(session, "-m", "benchmarks.scaling", *interpreters(session), *arguments)


@nox.session
def checkpoints(session):
    """Time what a checkpoint after each epoch costs, and what going on from one takes."""
    arguments = session.posargs or kept(session, "checkpoints")[:1]
    run_in_core(session, "-m", "benchmarks.checkpoints", *interpreters(session), *arguments)


@nox.session
def quality(session):
    """Measure what the tasks reach with their defaults, over seeds and backends: hours."""
    arguments = session.posargs or kept(session, "quality")[:1]
    run_in_core(session, "-m", "benchmarks.quality", *interpreters(session), *arguments)


@nox.session
def choices(session):
    """Compare settings of the tasks on a part of the training data: an hour and a half."""
    arguments = session.posargs or kept(session, "choices")[:1]
    run_in_core(session, "-m", "benchmarks.ablations", *interpreters(session), *arguments)


@nox.session
def exports(session):
    """Export models from every backend to every format, and measure how far the files are off."""
    # What formats need beside a framework lives in environments of its own.
    built = environments(session, [f"{name}-export" for name in BACKENDS]).values()
    pythons = [f"--python={name}={python}" for name, python in zip(BACKENDS, built, strict=True)]
    arguments = session.posargs or kept(session, "exports")[:1]
    run_in_core(session, "-m", "benchmarks.exports", *pythons, *arguments)


@nox.session
def figures(session):
    """Draw the README's figures anew, and write what is recorded into the documents' tables."""
    python = environment(session, "jax")
    session.run(python, "docs/figures.py", env={"KERAS_BACKEND": "jax"}, external=True)
    run_in_core(session, "-m", "benchmarks.documents")


def run_in_core(session, *arguments):
    """Run Python where no framework is installed."""
    session.run(environment(session, CORE), *arguments, external=True)


def kept(session, name):
    """``--json`` and ``--figure`` options for results that nobody said where to put."""
    results = FOLDER / "results"
    results.mkdir(exist_ok=True)
    session.log(f"What was found goes to {results}.")
    return [f"--json={results / name}.json", f"--figure={results / name}.png"]


def interpreters(session):
    """``--python`` options for the backends that ``--backends`` names, by default all."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--backends", default=",".join(BACKENDS))
    named = parser.parse_known_args(session.posargs)[0].backends.split(",")
    # A name that is no backend is left to the command, whose message lists those that are.
    built = environments(session, dict.fromkeys(name for name in named if name in BACKENDS))
    return [f"--python={name}={python}" for name, python in built.items()]


def pythons_for_tests(session):
    """Every backend's interpreter, as the tests that start processes take them."""
    return shlex.join(f"{name}={python}" for name, python in environments(session).items())


def environments(session, names=BACKENDS):
    """Build environments, and that of the parent of what runs there; dict of name to Python.

    An installation is the work of one process, so that two take little longer than one.
    """
    wanted = [*names, CORE]
    with ThreadPoolExecutor(2) as pool:
        built = dict(zip(wanted, pool.map(partial(environment, session), wanted), strict=True))
    return {name: built[name] for name in names}


def environment(session, name):
    """Build the environment ``name`` unless it is there and up to date; return its Python."""
    groups = ["core", "test", "lint"] if name == CORE else ["core", "test", name]
    wanted = nox.project.dependency_groups(PROJECT, *groups)
    folder = FOLDER / ".nox" / name
    python = str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    stamp = folder / "requirements.txt"
    if not stamp.exists() or stamp.read_text().splitlines() != list(wanted):
        session.run(sys.executable, "-m", "virtualenv", "--clear", "--quiet", folder, external=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        session.run(*install, "--no-compile", *wanted, external=True)
        session.run(*install, "--no-deps", "--editable", FOLDER, external=True)
        stamp.write_text("\n".join(wanted))  # last, so that half an environment counts as none
    return python
