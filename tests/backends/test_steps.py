"""The steps of each plan equal those of Keras."""

import warnings

import numpy as np
import pytest

from tests.reference.step_models import optimizers, task

pytestmark = pytest.mark.backend

BATCH, STEPS = 16, 20
CASES = [
    ("dense", "sgd"),
    ("dense", "adamw"),
    ("dense", "ema"),
    ("conv", "adam"),
    ("branched", "rmsprop"),
]


def rows(kind):
    """Indices of 20 batches, grouped in runs; the last one is smaller except for the dense model.

    A smaller batch needs its own program, whose compilation takes most of the test's time.
    """
    order = np.concatenate([np.random.default_rng(e).permutation(70) for e in range(5)])
    full = order[: BATCH * STEPS].reshape(-1, BATCH).astype(np.int32)
    return [full[:5], full[5:]] if kind == "dense" else [full[:5], full[5:-1], full[-1:, :7]]


def batch(keras, data, row):
    return keras.tree.map_structure(lambda array: None if array is None else array[row], data)


def by_keras(keras, kind, optimizer):
    """(logs after each step, final variables) of Keras's own `fit` on the same batches."""
    model, data = task(keras, kind, optimizers(keras)[optimizer]())
    batches = [batch(keras, data, row) for run in rows(kind) for row in run]

    class Rows(keras.utils.PyDataset):
        def __len__(self):
            return len(batches)

        def __getitem__(self, place):
            return tuple(part for part in batches[place] if part is not None)

    found = []

    def note(batch, logs):
        found.append(dict(logs))

    noting = keras.callbacks.LambdaCallback(on_train_batch_end=note)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns about optimizers with a moving average
        model.fit(Rows(), shuffle=False, verbose=0, callbacks=[noting])
    return {name: np.stack([log[name] for log in found]) for name in found[0]}, state(model)


def by_plan(keras, kind, optimizer, plan):
    """(logs after each step, final variables) of one plan on the same batches."""
    from ae_multi import backends

    module = backends.current()
    model, data = task(keras, kind, optimizers(keras)[optimizer]())
    model._symbolic_build(data_batch=batch(keras, data, rows(kind)[0][0]))
    steps = module.Steps(model, module.to_device(data), plan, True, BATCH, STEPS)
    logs = [steps.run(run) for run in rows(kind)]
    model.optimizer.finalize_variable_values(model.trainable_weights)
    return {name: np.concatenate([log[name] for log in logs]) for name in logs[0]}, state(model)


def state(model):
    variables = model.variables + model.optimizer.variables + model.metrics_variables
    return [np.array(variable) for variable in variables]


def plans_of(keras, kind):
    """The plans of a model, except those that take long to compile."""
    from ae_multi import backends

    model, _ = task(keras, kind, "sgd")
    slow = {("inductor", "conv"), ("inductor", "branched"), ("loop-xla", "conv")}
    # The same program as `scan`, compiled with another option.
    slow |= {("scan-eigen", "conv"), ("scan-eigen", "branched")}
    return [name for name, _ in backends.current().plans(model) if (name, kind) not in slow]


@pytest.mark.parametrize(("kind", "optimizer"), CASES, ids=map("-".join, CASES))
def test_each_plan_equals_keras_steps(keras, kind, optimizer):
    expected, end = by_keras(keras, kind, optimizer)
    tried = 0
    for plan in plans_of(keras, kind):
        if plan in ("graph", "cuda") and kind == "branched":
            with pytest.raises(RuntimeError):  # Keras's dropout uses a generator of PyTorch
                by_plan(keras, kind, optimizer, plan)
            continue
        if plan == "inductor" and optimizer != "adamw":
            continue
        logs, found = by_plan(keras, kind, optimizer, plan)
        assert sorted(logs) == sorted(expected), plan
        for name in logs:
            np.testing.assert_allclose(
                logs[name], expected[name], rtol=2e-6, err_msg=f"{plan} {name}"
            )
        for a, b in zip(found, end, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=2e-6, err_msg=plan)
        tried += 1
    assert tried


@pytest.mark.parametrize("kind", ["dense", "conv"])
def test_snapshot_restores_the_state_before_later_steps(keras, kind):
    from ae_multi import backends

    module = backends.current()
    first, then = rows(kind)[:2]
    for plan in plans_of(keras, kind):
        if plan == "inductor":
            continue
        model, data = task(keras, kind, optimizers(keras)["adam"]())
        model._symbolic_build(data_batch=batch(keras, data, first[0]))
        steps = module.Steps(model, module.to_device(data), plan, True, BATCH, STEPS)
        steps.run(first)
        before, saved = state(model), steps.snapshot()
        logs = steps.run(then)
        assert any((a != b).any() for a, b in zip(state(model), before, strict=True)), plan
        steps.restore(saved)
        for a, b in zip(state(model), before, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=plan)
        for name, values in steps.run(then).items():
            np.testing.assert_array_equal(values, logs[name], err_msg=f"{plan} {name}")
