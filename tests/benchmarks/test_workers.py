"""Results of the benchmark of workers."""

import pytest

from benchmarks import workers


def result(count, losses, digests, backend="jax"):
    trained = [{"plan": "scan", "losses": losses, "digests": digests, "seconds": 1.0}]
    return {"backend": backend, "workers": count, "trained": {"simple": trained}}


def test_losses_are_compared_with_those_of_one_worker():
    one = [0.5 / step for step in range(1, 23)]
    two = [*one[:19], one[19] * (1 + 3e-6), one[20] * 2, one[21]]
    results = [result(2, two, ["a", "b"]), result(1, one, ["a"])]
    first, second = workers.rows(results)
    # The twentieth loss is compared, the next is not.
    assert first["difference"] == pytest.approx(3e-6)
    assert not first["is_equal"]
    assert (second["difference"], second["is_equal"]) == (0.0, True)


def test_plan_for_several_workers_alone_is_compared_with_the_first_of_one():
    split = result(2, [0.5, 0.6], ["a", "a"])
    split["trained"]["simple"][0]["plan"] = "halves"
    _, row = workers.rows([result(1, [0.5, 0.5], ["a"]), split])
    assert (row["plan"], row["difference"]) == ("halves", pytest.approx(0.2))


def test_refused_models_and_failed_groups_are_rows():
    refused = {"plan": None, "refused": "no plan", "digests": [None, None]}
    results = [
        {"backend": "jax", "workers": 1, "trained": {"simple": [refused]}},
        {"backend": "torch", "failed": "torch, benchmarks.workers: …"},
    ]
    assert [row["note"] for row in workers.rows(results)] == ["refused", "failed"]


@pytest.mark.parametrize("numbers", ["0,2", "3", "x"])
def test_numbers_of_workers_divide_the_batch(numbers, capsys):
    assert workers.main(["--workers", numbers]) == 2
    assert "Expected --workers to be divisors of 32" in capsys.readouterr().err


def test_unknown_part_is_a_usage_error(capsys):
    assert workers.main(["--parts", "speed"]) == 2
    assert "Expected --parts among losses, scaling, kills" in capsys.readouterr().err


def test_tables_show_each_part():
    from rich.console import Console

    console = Console(width=120)
    case = {"restarted": True, "is_equal": True}
    scaled = {"backend": "jax", "plan": "scan", "batch": 1024}
    with console.capture() as captured:
        console.print(workers._losses_table([result(1, [0.5] * 22, ["a"])]))
        console.print(
            workers._scaling_table(
                [
                    {**scaled, "workers": 1, "steps_per_second": 10.0},
                    {**scaled, "workers": 2, "steps_per_second": 17.0},
                ]
            )
        )
        console.print(workers._kills_table([{"backend": "jax", "cases": [case] * 3}]))
    text = captured.get()
    assert all(word in text for word in ("0.0e+00", "yes", "1.70", "1,024"))
    assert text.split()[-4:] == ["jax", "3", "3", "3"]
