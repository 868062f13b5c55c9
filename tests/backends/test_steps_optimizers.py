"""Each optimizer of Keras in each plan: weights and state equal a float64 reference."""

import os

import numpy as np
import pytest

import ae_multi
from ae_multi.errors import InputError
from tests.reference import optimizer_cases as cases

pytestmark = pytest.mark.backend

CHECKED_STEPS = 1, 2, cases.STEPS
# Tolerance in error bounds of the reference: compilers reorder the operations of Keras.
FACTOR = 4


def by_reference(keras, given):
    """The expected states: dict of each of `CHECKED_STEPS` to a list of one dict per case."""
    gradients, weights = cases.data(len(given))
    found = {step: [] for step in CHECKED_STEPS}
    for number, case in enumerate(given):
        training = case.training(cases.parts(weights, number), keras.config.backend())
        for step, row in enumerate(gradients, 1):
            training.step(cases.parts(row, number))
            if step in CHECKED_STEPS:
                found[step].append(everything(training))
    return found


def everything(training):
    """Weights and state of a reference: dict of (attribute, weight's name) to `Rounded`."""
    found = {("weight", name): w for name, w in training.weights.items()}
    found |= {("_model_variables_moving_average", name): a for name, a in training.average.items()}
    found |= {("_accumulated_gradients", name): s for name, s in training.sums.items()}
    for name, state in training.state.items():
        found |= {(key, name): value for key, value in state.items() if key != "first"}
    return found


def started(keras, gradients, optimizer, plan):
    """(model, `Steps`) before the first step."""
    from ae_multi import backends

    module = backends.current()
    made = cases.model(keras, gradients.shape[1] // cases.SIZE)
    made.compile(optimizer, loss=lambda y, found: keras.ops.mean(found))
    data = gradients, np.zeros((len(gradients), 1), np.float32), None
    made._symbolic_build(data_batch=[part[:1] for part in data[:2]])
    return made, module.Steps(made, module.to_device(data), plan, True, 1, cases.STEPS)


def check(keras, given, plan, expected):
    """Compare weights and every variable of the optimizers with the reference."""
    optimizer, optimizers = cases.joined(keras, given)
    made, steps = started(keras, cases.data(len(given))[0], optimizer, plan)
    rows, wrong = np.arange(cases.STEPS, dtype=np.int32)[:, None], []
    for first, last in zip((0, *CHECKED_STEPS), CHECKED_STEPS, strict=False):
        steps.run(rows[first:last])
        for number, (case, each) in enumerate(zip(given, optimizers, strict=True)):
            seen = {id(each._iterations), id(each._learning_rate)}
            for (key, name), value in expected[last][number].items():
                place = list(cases.SHAPES).index(name)
                if key == "weight":
                    variable = made.trainable_variables[2 * number + place]
                else:
                    variable = cases.variables_of(each, key, place)
                if variable is None:
                    continue
                seen.add(id(variable))
                found = np.array(variable)
                if not (abs(found - value.value) <= FACTOR * value.error + 1e-37).all():
                    off = abs(found - value.value) / (value.error + 1e-37)
                    wrong.append(f"{plan}, step {last}, {case}, {key} of {name}: {off.max():.3g}")
            assert {id(variable) for variable in each.variables} <= seen, case
    assert not wrong, "\n".join(wrong)


def plans(keras, given):
    """The plans of a model with all optimizers."""
    return plans_of(keras, cases.model(keras, len(given)), cases.joined(keras, given)[0])


def plans_of(keras, made, optimizer):
    """The plans of a model with ``optimizer``."""
    from ae_multi import backends

    made.compile(optimizer, "mse")
    optimizer.build(made.trainable_variables)
    same = {"scan-eigen"}  # the program of `scan`, compiled with another option
    return [name for name, _ in backends.current().plans(made) if name not in same]


NOT_RECORDED = "Nadam"  # on PyTorch
ALL = bool(os.environ.get("AE_MULTI_ALL_CHECKS"))
GROUPS = {
    "sample": [
        cases.Case("SGD", {"momentum": 0.9, "nesterov": True}),
        cases.Case("RMSprop", {"centered": True, "epsilon": 1e-3}),
        cases.Case("Adam"),
        cases.Case("AdamW"),
    ],
    "specific": [case for case in cases.own_cases() if case.kind != NOT_RECORDED],
    "common": cases.cases(["Adam"], cases.COMMON),
    "periodic": [
        cases.Case(NOT_RECORDED, {}, {"weight_decay": 0.1}),
        *cases.cases(["Adam"], cases.SOMETIMES),
        *cases.cases([NOT_RECORDED], cases.SOMETIMES[:1]),
    ],
}
EVERY = [kind for kind in cases.RULES if kind != NOT_RECORDED]
if ALL:  # each option with each optimizer
    GROUPS["common"] = cases.cases(EVERY, cases.COMMON)
    GROUPS["periodic"] = [
        *cases.cases([NOT_RECORDED], [{}, *cases.COMMON]),
        *cases.cases(cases.RULES, cases.SOMETIMES),
    ]


@pytest.mark.parametrize(
    "group",
    ["sample", *(pytest.param(name, marks=pytest.mark.slow) for name in [*GROUPS][1:])],
)
def test_each_plan_equals_the_float64_updates(keras, group):
    given = GROUPS[group]
    expected = by_reference(keras, given)
    # Other options are computed by code of Keras that is the same in each plan.
    for plan in plans(keras, given)[: None if group in ("sample", "specific") or ALL else 1]:
        if plan != "inductor":
            check(keras, given, plan, expected)


def test_inductor_equals_the_float64_updates(keras, torch):
    """Compare a few optimizers, since compiling all takes minutes."""
    nesterov = {"momentum": 0.9, "nesterov": True}
    given = GROUPS["specific"] if ALL else [cases.Case("SGD", nesterov), cases.Case("Adam")]
    if "inductor" in plans(keras, given):
        check(keras, given, "inductor", by_reference(keras, given))


def test_float32_second_moment_is_detected(keras):
    """The fault of TensorFlow's `ResourceApplyAdam`: 1 - β₂ computed in float32."""

    class Float32Beta(keras.optimizers.Adam):
        def update_step(self, gradient, variable, learning_rate):
            beta_2, self.beta_2 = self.beta_2, keras.ops.cast(self.beta_2, "float32")
            super().update_step(gradient, variable, learning_rate)
            self.beta_2 = beta_2

    class Case(cases.Case):
        def optimizer(self, keras):
            return Float32Beta(cases.RATE)

    given = [Case("Adam")]
    plan, expected = plans(keras, given)[0], by_reference(keras, given)
    with pytest.raises(AssertionError, match="_velocities of kernel"):
        check(keras, given, plan, expected)


def test_loss_scaling_skips_steps_that_are_not_finite(keras):
    """Double the scale after four steps, and skip a step with infinite gradients."""
    case, kinds = cases.Case("Adam"), keras.optimizers
    gradients, weights = cases.data(1)
    gradients[2, 0] = np.inf
    training = case.training(cases.parts(weights, 0), keras.config.backend())
    scale, counter = 2.0**15, 0
    for row in gradients:
        if not np.isfinite(row).all():
            scale, counter = scale / 2, 0
            continue
        training.step(cases.parts(row, 0))
        scale, counter = (scale * 2, 0) if counter == 3 else (scale, counter + 1)
    optimizer = kinds.LossScaleOptimizer(case.optimizer(keras))
    for plan in plans_of(keras, cases.model(keras, 1), optimizer):
        inner = case.optimizer(keras)
        optimizer = kinds.LossScaleOptimizer(inner, dynamic_growth_steps=4)
        _, steps = started(keras, gradients, optimizer, plan)
        steps.run(np.arange(cases.STEPS, dtype=np.int32)[:, None])
        assert float(np.array(optimizer.dynamic_scale)) == scale, plan
        assert int(np.array(optimizer.step_counter)) == counter, plan
        for key in ("_momentums", "_velocities"):
            for place, name in enumerate(cases.SHAPES):
                found, value = np.array(getattr(inner, key)[place]), training.state[name][key]
                assert (abs(found - value.value) <= FACTOR * value.error + 1e-37).all(), plan


def dense(keras, optimizer):
    """A compiled dense layer with fixed weights."""
    made = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
    made.set_weights([np.eye(4) / 2, np.zeros(4)])
    made.compile(optimizer, "mse")
    return made


def optimizers_in_python(keras):
    """Optimizers that run Python code in each step."""
    kinds = keras.optimizers

    class Counting(kinds.SGD):
        def update_step(self, gradient, variable, learning_rate):
            self.count = getattr(self, "count", 0) + 1
            super().update_step(gradient, variable, learning_rate / self.count)

    class Reading(kinds.schedules.LearningRateSchedule):
        def __call__(self, step):
            return 0.1 / (1 + int(np.array(keras.ops.convert_to_numpy(step))))

    calls = []

    def falling():
        calls.append(None)
        return 0.1 / len(calls)

    return {
        "counts": Counting,
        "reads": lambda: kinds.SGD(Reading()),
        "calls": lambda: kinds.SGD(falling),
        "nadam": kinds.Nadam,
    }


@pytest.mark.parametrize(
    ("kind", "refused"),
    [("counts", None), ("reads", RuntimeError), ("calls", InputError), ("nadam", InputError)],
)
def test_optimizers_that_need_python_run_eagerly(keras, torch, x, kind, refused):
    part = x[:12, :4]

    def trained(plan):
        made = dense(keras, optimizers_in_python(keras)[kind]())
        ran = ae_multi.fit(made, part, part, 2, shuffle=False, verbose=0, plan=plan).plan.name
        return ran, np.concatenate([weight.ravel() for weight in made.get_weights()])

    _, expected = trained("keras")
    for plan in (None, "graph"):
        if plan == "graph" and refused is not None:
            with pytest.raises(refused):
                trained(plan)
            continue
        ran, weights = trained(plan)
        assert ran == "eager"
        np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_optimizer_options_may_change_between_epochs(keras, torch, x):
    def change(epoch, logs):
        made.optimizer.momentum = 0.9 / (epoch + 1)

    weights = []
    for plan in ("graph", "keras"):
        made = dense(keras, keras.optimizers.SGD(0.1, momentum=0.9))
        ae_multi.fit(
            made,
            x[:12, :4],
            x[:12, :4],
            4,
            3,
            shuffle=False,
            verbose=0,
            plan=plan,
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=change)],
        )
        weights.append(np.concatenate([weight.ravel() for weight in made.get_weights()]))
    np.testing.assert_allclose(*weights, rtol=1e-6)


def test_embedding_rows_are_updated_as_in_keras(keras):
    x = np.random.default_rng(0).integers(0, 6, (20, 3))
    y = np.random.default_rng(1).random((20, 2), np.float32)
    weights = []
    for plan in (None, "keras"):
        layers = keras.layers
        made = keras.Sequential(
            [
                keras.Input((3,), dtype="int32"),
                layers.Embedding(6, 4),
                layers.Flatten(),
                layers.Dense(2),
            ]
        )
        for weight in made.trainable_variables:
            weight.assign(np.random.default_rng(weight.shape[0]).normal(size=weight.shape))
        made.compile(keras.optimizers.Adam(0.1), "mse")
        ae_multi.fit(made, x, y, batch_size=4, epochs=3, shuffle=False, verbose=0, plan=plan)
        weights.append(made.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
