"""The benchmark of the training time per sample."""

import pytest

pytestmark = [
    pytest.mark.backend,
    # PyTorch emits this warning when its compiler is first imported.
    pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning"),
]


@pytest.mark.once
def test_time_of_a_sample_is_measured_in_turns(monkeypatch):
    from benchmarks import contenders, data_scaling

    sizes = []

    def seconds(job):
        job()
        sizes.append(job.args[0].size)
        return 1.0 if job.args[0].size == 256 else 3.0

    monkeypatch.setattr(contenders, "seconds", seconds)
    monkeypatch.setattr(contenders, "_MAX_STEPS_PER_EPOCH", 1)
    found = data_scaling.measure(sizes=(300, 600), turns=2)
    assert sizes[-4:] == [256, 512, 256, 512]  # whole batches of 128
    small, large = found["costs"]
    assert (small["samples"], large["samples"]) == (300, 600)
    assert small["steps"] == pytest.approx(1e9 / 256)
    assert large["steps"] == pytest.approx(3e9 / 512)
    for cost in (small, large):
        cost.update(order=2.0, to_the_device=5.0)
    (line,) = data_scaling.lines([found])
    backend, plan, *cells = line
    assert (backend, plan) == (found["backend"], found["plan"])
    assert cells == ["3,906,252", "5,859,377 (1.50 ×)", "5"]
