"""The benchmark of the time of a training step by each plan."""

import pytest

pytestmark = [
    pytest.mark.backend,
    # PyTorch emits this warning when its compiler is first imported.
    pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning"),
]


@pytest.mark.once
def test_step_is_timed_by_each_plan_and_native_loop(monkeypatch):
    from benchmarks import contenders, steps

    monkeypatch.setattr(steps, "plans", lambda model: ["graph", "eager"])
    monkeypatch.setattr(contenders, "ways", lambda model: ["eager"])
    found = steps.measure("deep", steps=3, repeats=2)
    assert [*found["plans"]] == ["graph", "eager"]
    assert [*found["by_hand"]] == ["eager"]
    for measured in (*found["plans"].values(), *found["by_hand"].values()):
        assert measured["microseconds"] > 0
        assert measured["seconds_to_build"] >= 0
    found["plans"]["graph"] = {"microseconds": 1234.5, "seconds_to_build": 2.345}
    found["by_hand"]["eager"] = {"microseconds": 12.5}
    first, _, last = steps.lines({"results": [found]})
    assert first[3:] == ("plan: graph", "1,234", "2.3")
    assert last[3:] == ("by hand: eager", "12", "")
