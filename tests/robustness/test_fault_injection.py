"""Injected faults are found at their stage and in their layer."""

from dataclasses import replace

import pytest

from tests.robustness.fault_injection.__main__ import faults_table, main
from tests.robustness.fault_injection.run import FaultInjector, InjectionResult

# One fault of each stage, spread over the backends; `nox -s faults` injects all.
CHOSEN = [
    ("one weight one ulp off", "tensorflow"),
    ("two batches swapped", "jax"),
    ("TF32 in one layer", "torch"),
    ("an unbiased variance in BatchNormalization", "torch"),
    ("a gradient doubled in one layer", "tensorflow"),
    ("Adam with epsilon 1e-8", "jax"),
    ("Adam with beta 1 of .95", "torch"),
    ("dropout of another seed", "jax"),
    ("SGD with another momentum", "tensorflow"),
]


@pytest.fixture(scope="module")
def injector(pythons, tmp_path_factory):
    return FaultInjector(pythons, tmp_path_factory.mktemp("traces"))


@pytest.mark.across
@pytest.mark.slow
def test_no_stage_diverges_without_a_fault(injector):
    stages = injector.compare_without_fault()
    assert [str(entry) for stage in stages for entry in stage.divergences] == []
    assert all(stage.compared for stage in stages)


@pytest.mark.across
@pytest.mark.slow
@pytest.mark.parametrize(("name", "backend"), CHOSEN)
def test_fault_is_caught_at_its_stage(injector, name, backend):
    result = injector.inject(name, backend)
    assert result.caught, str(result)


FOUND = InjectionResult(
    "a fault", "jax", "forward", "hidden", "forward", "hidden", 1e-3, 1e-6, ("jax",)
)


def test_caught_requires_stage_name_and_backend():
    assert FOUND.caught
    assert replace(FOUND, found_place="hidden/kernel").caught
    for change in (
        {"found_stage": "gradient"},
        {"found_stage": "", "found_place": "", "diverging": ()},
        {"found_place": "square"},
        {"diverging": ("torch",)},
        {"diverging": ("torch", "jax")},
    ):
        assert not replace(FOUND, **change).caught


def test_table_shows_missed_faults():
    table = faults_table([FOUND, replace(FOUND, found_stage="losses", diverging=())])
    cells = [[str(cell) for cell in column.cells] for column in table.columns]
    assert [column[0] for column in cells] == [
        "a fault",
        "jax",
        "forward: hidden",
        "forward: hidden",
        "1.0e-03",
        "1.0e-06",
        "jax",
        "yes",
    ]
    assert cells[-1][1] == "NO"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--faults", "nonsense"], "Received: 'nonsense'"),
        (["--json", "/nowhere/a.json"], "is not a folder"),
        (["--backends", "theano"], "Received: 'theano'"),
    ],
)
def test_usage_errors_end_with_2(capsys, arguments, message):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
