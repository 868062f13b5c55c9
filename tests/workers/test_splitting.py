"""Parts of batches, groups from the environment, and what is refused, without processes."""

import numpy as np
import pytest

from ae_multi.errors import InputError, WorkerError
from ae_multi.workers.group import Group, group_of, timeout

pytestmark = pytest.mark.backend

VARIABLES = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "host", "MASTER_PORT": "1234"}


class FakeGroup(Group):
    """A group whose workers all pass the same values as this one, or the given ones."""

    gathered = None

    def gather(self, value):
        """Return the same value for each worker."""
        return [value] * self.size if self.gathered is None else self.gathered


@pytest.fixture
def group():
    return FakeGroup(1, 2, "host", 1234)


def test_environment_describes_a_worker():
    assert group_of(VARIABLES) == Group(1, 2, "host", 1234)
    assert group_of({**VARIABLES, "RANK": "0", "WORLD_SIZE": "1"}) is None
    assert group_of({"WORLD_SIZE": "2"}) is None
    with pytest.raises(InputError, match="RANK=2"):
        group_of({**VARIABLES, "RANK": "2"})


def test_timeout_is_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("AE_MULTI_WORKER_TIMEOUT", "12.5")
    assert timeout() == 12.5
    monkeypatch.setenv("AE_MULTI_WORKER_TIMEOUT", "soon")
    with pytest.raises(InputError, match="soon"):
        timeout()


def test_parts_of_all_workers_are_the_batch():
    from ae_multi.workers.splitting import own_rows, whole_batches

    rows = np.arange(24, dtype=np.int32).reshape(2, 12)
    groups = [Group(rank, 3, "host", 1234) for rank in range(3)]
    parts = [own_rows(group, rows, 12) for group in groups]
    np.testing.assert_array_equal(np.concatenate([part for part, _ in parts], axis=1), rows)
    assert [split for _, split in parts] == groups
    # A smaller last batch is computed by each worker completely.
    assert own_rows(groups[1], rows[:, :5], 12)[1] is None
    with whole_batches():
        assert own_rows(groups[1], rows, 12)[1] is None


def test_random_numbers_are_those_of_the_rows_in_the_complete_batch(keras):
    from ae_multi.randomness import noise
    from ae_multi.workers.splitting import split_over

    def draws(rows):
        return [
            noise.uniform((rows, 3), 0, 4),
            keras.random.normal((rows, 3), seed=1),
            keras.random.truncated_normal((rows, 3), seed=2),
            keras.random.dropout(keras.ops.ones((rows, 3)), 0.5, seed=3),
            keras.random.dropout(keras.ops.ones((rows, 3, 2)), 0.5, (rows, 1, 2), seed=4),
        ]

    whole = draws(8)
    parts = []
    for rank in range(2):
        with split_over(Group(rank, 2, "host", 1234)):
            parts.append(draws(4))
    for expected, *of_workers in zip(whole, *parts, strict=True):
        joined = keras.ops.concatenate(of_workers)
        np.testing.assert_array_equal(
            keras.ops.convert_to_numpy(joined), keras.ops.convert_to_numpy(expected)
        )


def test_batch_size_names_the_next_sizes_that_fit():
    from ae_multi.workers.training import check_batch_size

    check_batch_size(None, 30)
    check_batch_size(Group(0, 4, "host", 1234), 32)
    with pytest.raises(InputError, match=r"28 or 32\. Received: 30"):
        check_batch_size(Group(0, 4, "host", 1234), 30)
    with pytest.raises(InputError, match=r"such as 4\. Received: 3"):
        check_batch_size(Group(0, 4, "host", 1234), 3)


def test_arguments_that_differ_between_workers_are_named(group):
    from ae_multi.workers.training import check_arguments

    check_arguments(None, {"samples": 100})
    check_arguments(group, {"samples": 100})
    group.__dict__["gathered"] = [{"epochs": 2, "samples": 100}, {"epochs": 2, "samples": 80}]
    with pytest.raises(InputError, match="samples 100 on worker 0, 80 on worker 1"):
        check_arguments(group, {"epochs": 2, "samples": 80})


def test_decisions_are_those_of_worker_0(group):
    from ae_multi.workers.decisions import Decisions

    decisions = Decisions(group, {})
    group.__dict__["gathered"] = [[False, True, 16], [False, False, 3]]
    assert decisions.share(stop=False, length=3) == (True, 16)
    group.__dict__["gathered"][1][0] = True
    with pytest.raises(KeyboardInterrupt):
        decisions.share(stop=False, length=3)


class FakeSteps:
    """Steps that add numbers to the kernel and its moment: in turn for each run.

    Args:
        model: a compiled and built model.
        growths: a number for each run.
    """

    def __init__(self, model, growths):
        self._model, self._growths = model, iter(growths)

    def run(self, rows):
        """Run a step."""
        growth = next(self._growths)
        weight = self._model.trainable_variables[0]
        for variable in self._model.optimizer.variables:
            if "momentum" in variable.path and tuple(variable.shape) == tuple(weight.shape):
                variable.assign(variable + growth)


@pytest.fixture
def model(keras):
    from ae_multi._keras_internals import build_symbolically

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("adam", "mse")
    build_symbolically(model, (np.ones((4, 3), np.float32), np.ones((4, 2), np.float32), None))
    return model


@pytest.mark.parametrize("split", [0.25, 0.499, np.nan])
def test_self_check_names_the_variable_that_differs(group, model, split):
    from ae_multi.workers.self_check import check_split

    with pytest.raises(InputError, match=r"kernel_momentum changes by up to 0\.5") as error:
        check_split(group, model, FakeSteps(model, [0.5, split]), np.zeros((1, 4), np.int32))
    assert "reduction='sum'" in str(error.value)


def test_self_check_allows_rounding_and_restores_the_state(group, model, keras):
    from ae_multi.workers.self_check import check_split

    before = [keras.ops.convert_to_numpy(each).copy() for each in model.optimizer.variables]
    check_split(group, model, FakeSteps(model, [0.5, 0.500001]), np.zeros((1, 4), np.int32))
    for variable, value in zip(model.optimizer.variables, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), value)


def test_workers_with_other_variables_are_named(group, model):
    from ae_multi.workers.state import check_equal

    check_equal(group, model)
    group.__dict__["gathered"] = ["a", "b"]
    with pytest.raises(WorkerError, match="worker 1 differ from those of worker 0"):
        check_equal(group, model)
