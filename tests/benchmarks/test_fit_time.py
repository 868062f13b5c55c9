"""The benchmark of complete calls of `fit`."""

import pytest

from benchmarks import fit_time

# Seconds of a first and a second process by contender; None is the plan that `fit` selects.
SECONDS = {None: (9.0, 8.0), "loop": (10.0, 7.5), "xla": (6.0, 5.0), "keras.fit": (20.0,)}
SECONDS["native"] = (6.5,)


class FakeMeasure:
    """Replacement of `fit_time.measure` in a new process; records contenders and caches."""

    def __init__(self, seconds=SECONDS):
        self.seen, self._seconds = [], seconds

    def __call__(self, job, caches):
        name = job.get("contender", job.get("plan"))
        self.seen.append((name, caches))
        processes = [seen for seen, _ in self.seen].count(name) - 1
        turn, process = divmod(processes, len(SECONDS[name]))
        seconds = self._seconds[name][process]
        provenance = {
            "backend": "jax",
            "device": "cpu",
            "versions": {},
            "data": "few",
            "samples": 4,
        }
        return {
            **provenance,
            "seconds": seconds[turn] if isinstance(seconds, list) else seconds,
            "plan": job.get("plan", "loop"),
            "plans": ["loop", "xla"],
        }


def test_second_process_shares_only_the_caches_of_its_first(monkeypatch):
    monkeypatch.setattr(fit_time, "TURNS", 1)
    measure = FakeMeasure()
    fit_time.compare(measure, "deep", 6)
    names = [name for name, _ in measure.seen]
    assert names == [None, None, "loop", "loop", "xla", "xla", *fit_time.COMPARED]
    caches = [caches for _, caches in measure.seen[:6]]
    assert caches[::2] == caches[1::2]
    assert len({caches for _, caches in measure.seen}) == 3 + len(fit_time.COMPARED)


def test_ratios_compare_processes_in_the_same_state():
    found = fit_time.compare(FakeMeasure(), "deep", 6)
    assert fit_time.ratios(found) == pytest.approx((9.0 / 6.0, 8.0 / 5.0))
    assert fit_time.table([found]).row_count == 1


def test_slow_contenders_and_long_trainings_have_fewer_turns():
    measure = FakeMeasure()
    fit_time.compare(measure, "deep", 6)
    counts = {name: [seen for seen, _ in measure.seen].count(name) for name in SECONDS}
    # "loop" takes 7.5 s, 1.5 times as long as "xla"; three turns of the choice take 51 s.
    assert counts == {None: 6, "loop": 2, "xla": 8, "native": 4, "keras.fit": 1}
    order = [name for name, _ in measure.seen]
    assert order.index("native") < len(order) - 1 - order[::-1].index("xla")


def test_result_is_the_shortest_time_of_each_process():
    ours = ([5.0, 6.0, 3.0, 7.0, 7.0], [4.0, 2.0, 7.0, 9.0, 9.0])
    measure = FakeMeasure({**SECONDS, None: ours, "loop": (9.0, 9.0), "xla": (9.0, 9.0)})
    found = fit_time.compare(measure, "deep", 6)
    assert (found["first"]["seconds"], found["second"]["seconds"]) == (3.0, 2.0)


@pytest.mark.backend
@pytest.mark.once
@pytest.mark.parametrize("contender", ["ours", *fit_time.COMPARED])
def test_training_is_timed_with_each_contender(keras, contender):
    found = fit_time.measure("simple", 1, contender, samples=256)
    assert found["seconds"] > 0
    assert "graph" in found["plans"]
    assert (found["plan"] in found["plans"]) == (contender == "ours")
