"""The benchmark of complete calls of `fit`."""

import pytest

from benchmarks import fit_time

# Seconds of a first and a second process by plan; None is the plan that `fit` selects.
SECONDS = {None: [9.0, 8.0], "loop": [10.0, 7.5], "xla": [6.0, 5.0]}


class Start:
    """Stand-in for `fit_time.measure` in a new process; records jobs and caches."""

    def __init__(self):
        self.seen, self._left = [], {plan: list(seconds) for plan, seconds in SECONDS.items()}

    def __call__(self, job, caches):
        contender, plan = job.get("contender", "ours"), job.get("plan")
        self.seen.append((contender, plan, caches))
        seconds = self._left[plan].pop(0) if contender == "ours" else 20.0
        about = {"backend": "jax", "device": "cpu", "versions": {}, "data": "few"}
        return {**about, "seconds": seconds, "plan": plan or "loop", "plans": ["loop", "xla"]}


def test_second_process_shares_only_the_caches_of_its_first():
    start = Start()
    fit_time.compare(start, "deep", 6)
    ours = [(plan, caches) for contender, plan, caches in start.seen if contender == "ours"]
    assert [plan for plan, _ in ours] == [None, None, "loop", "loop", "xla", "xla"]
    assert [caches for _, caches in ours[::2]] == [caches for _, caches in ours[1::2]]
    assert len({caches for _, _, caches in start.seen}) == 3 + len(fit_time.COMPARED)


def test_ratios_compare_processes_in_the_same_state():
    found = fit_time.compare(Start(), "deep", 6)
    assert fit_time.ratios(found) == pytest.approx((9.0 / 6.0, 8.0 / 5.0))
    assert fit_time.table([found]).row_count == 1


def test_short_trainings_use_the_best_of_three_timings(monkeypatch):
    monkeypatch.setattr(fit_time, "SHORT", 100.0)
    seconds = {None: [5.0, 4.0, 6.0, 2.0, 3.0, 7.0], "loop": [9.0] * 6, "xla": [9.0] * 6}
    monkeypatch.setitem(globals(), "SECONDS", seconds)
    start = Start()
    found = fit_time.compare(start, "deep", 6)
    assert (found["first"]["seconds"], found["second"]["seconds"]) == (3.0, 2.0)
    ours = [caches for contender, plan, caches in start.seen if contender == "ours" and not plan]
    assert len(ours) == 6
    assert len(set(ours)) == 3


@pytest.mark.backend
@pytest.mark.once
@pytest.mark.parametrize("contender", ["ours", *fit_time.COMPARED])
def test_training_is_timed_with_each_contender(keras, contender):
    found = fit_time.measure("simple", 1, contender, samples=256)
    assert found["seconds"] > 0
    assert "graph" in found["plans"]
    assert (found["plan"] in found["plans"]) == (contender == "ours")
