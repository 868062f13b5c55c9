"""Detection of small faults in the trainings of a comparison."""

import pytest

from ae_multi.compare import TrainingConfig
from ae_multi.compare.agreement import FIRST_STEPS_BOUND, agreement

pytestmark = [pytest.mark.backend, pytest.mark.once]


@pytest.fixture(scope="module")
def recorded(keras, tmp_path_factory):
    """Return a function that records a training on digits, with a fault in the model or steps."""
    from ae_multi.compare import worker

    def run(change=lambda model: None, steps=worker.PlanSteps, spread_runs=0, epochs=1):
        def build(*arguments):
            model = real(*arguments)
            change(model)
            return model

        real, folder, events = worker.build, tmp_path_factory.mktemp("record"), []
        job = {
            "configs": [TrainingConfig("simple", epochs=epochs).to_json()],
            "data": "digits", "path": None, "first_steps": 20, "spread_runs": spread_runs,
            "plans": False, "floors": False, "pictures": folder, "programs": str(folder),
        }  # fmt: skip
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(worker, "build", build)
            patch.setattr(worker, "PlanSteps", steps)
            worker.record(job, events.append)
        (backend,) = (event for event in events if event["event"] == "backend")
        (result,) = (event for event in events if event["event"] == "result")
        return {**backend, **result}

    return run


@pytest.fixture(scope="module")
def unmodified(recorded):
    """Return the record of a training without a fault and of its perturbed repetitions."""
    return recorded(spread_runs=6, epochs=6)


def with_rate(factor):
    def change(model):
        model.optimizer.learning_rate = 1e-3 * factor

    return change


def with_epsilon(model):
    model.optimizer.epsilon = 1e-8


def without_batch(number):
    from ae_multi.parity.plan_steps import PlanSteps

    class Steps(PlanSteps):
        count = 0

        def loss(self, chosen):
            self.count += 1
            return 0.0 if self.count == number else super().loss(chosen)

    return Steps


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        {"change": with_rate(1.001)},
        {"change": with_epsilon},
        {"steps": without_batch(15)},
        # 1 - β₂ in float32 is off by 1.3e-5, which changes each step by half of that.
        {"change": with_rate(1 + 6.5e-6)},
    ],
    ids=["learning rate .1 % off", "epsilon 1e-8", "one batch left out", "1 - beta_2 in float32"],
)
def test_small_fault_is_detected_in_the_first_losses(recorded, unmodified, fault):
    faulty = {**recorded(**fault), "test_mse": unmodified["test_mse"]}
    found = agreement([unmodified, faulty])
    assert found["verdict"] == "differ"
    assert found["first_losses_difference"] > 1.5 * FIRST_STEPS_BOUND
    assert "the loss differs" in found["reasons"][0]


def test_repeated_training_agrees_within_its_spread(recorded, unmodified):
    found = agreement([unmodified, recorded(epochs=6)])
    assert found["verdict"] == "agree"
    assert found["test_mse_difference"] < found["test_mse_bound"] / 5
    # The largest contribution is the rounding of Adam's constants, 1.5e-5 of each step.
    assert 1e-6 < found["spread"]["deviation"] < 1e-4


def test_wrong_learning_rate_is_detected_in_the_final_mse(recorded, unmodified):
    faulty = {**recorded(with_rate(1.001), epochs=6), "first_losses": unmodified["first_losses"]}
    assert "the final test MSE differs" in agreement([unmodified, faulty])["reasons"][0]
