"""Script of one worker: compute by collectives and by split steps, and write the results.

Usage: ``python collectives_worker.py JOB RESULT``. The job, a path, is not read. The result is a
JSON dict. In the end worker 1 kills itself and worker 0 trains on.
"""

import hashlib
import json
import os
import signal
import sys
import time

import numpy as np

import ae_multi
from ae_multi import backends
from ae_multi._keras import keras
from ae_multi.backends.collectives.tensorflow import all_reduce, concatenate, gather
from ae_multi.errors import InputError, WorkerError
from ae_multi.workers import current
from ae_multi.workers.splitting import whole_batches

import tensorflow as tf  # isort: skip  # the group has to be joined first

BATCH, FEATURES = 12, 8
# Trainings by other plans than "loop".
OTHER_RUNS = ["dense halves", "dense step", "batch_norm halves"]
X = np.random.default_rng(0).random((40, FEATURES), np.float32)


class OwnMetrics(keras.Sequential):
    """Model whose logs are not its metrics."""

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Return the metrics and one more value."""
        return {**super().compute_metrics(x, y, y_pred, sample_weight), "extra": 0.0}


def dense(*inner, kind=keras.Sequential):
    # A bias before a batch normalization would have no gradient but rounding.
    first = keras.layers.Dense(6, use_bias=False)
    return kind([keras.Input((FEATURES,)), first, *inner, keras.layers.Dense(8)])


def embedding():
    indices = keras.layers.Lambda(lambda x: keras.ops.cast(x * 4, "int32"))
    layers = [indices, keras.layers.Embedding(4, 3), keras.layers.Flatten(), keras.layers.Dense(8)]
    return keras.Sequential([keras.Input((FEATURES,)), *layers])


MODELS = {
    "dense": dense,
    "batch_norm": lambda: dense(keras.layers.BatchNormalization()),
    "dropout": lambda: dense(ae_multi.randomness.Dropout(0.3, seed=5)),
    "embedding": embedding,
    "loss_scale": dense,
}


def built(name, plan):
    """Return (model, steps)."""
    keras.utils.set_random_seed(7)
    model = MODELS[name]()
    # Adam would hide gradients of another size; its form for slices is tested with an embedding.
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    if name == "embedding":
        optimizer = keras.optimizers.Adam(0.01)
    if name == "loss_scale":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(optimizer=optimizer, loss="mse", metrics=["mae"])
    model._symbolic_build(data_batch=(X[:BATCH], X[:BATCH]))
    module = backends.current()
    steps = module.Steps(model, module.to_device((X, X, None)), plan, True, BATCH, 6)
    return model, steps


def train(name, plan):
    """Train six full batches, "dense" one of five samples and two full ones, too.

    Returns:
        Dict of the logs, the weights and the digest of all variables.
    """
    model, steps = built(name, plan)
    order = np.random.default_rng(1)
    rows = np.stack([order.permutation(len(X))[:BATCH] for _ in range(8)]).astype(np.int32)
    logs = [steps.run(rows[:6])]
    if name == "dense":
        logs += [steps.run(rows[:1, :5]), steps.run(rows[6:])]
    variables = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
    digest = hashlib.sha256()
    for variable in variables:
        digest.update(np.ascontiguousarray(variable.value).tobytes())
    return {
        "logs": {key: np.concatenate([log[key] for log in logs]).tolist() for key in logs[0]},
        "weights": [np.array(variable.value).tolist() for variable in model.variables],
        "sha256": digest.hexdigest(),
    }


def reduced(rank):
    """Return sums and a gradient by `all_reduce`, and the number of messages."""

    def compute(matrix, count, vector):
        with tf.GradientTape() as tape:
            tape.watch([matrix, vector])
            sums = all_reduce([matrix, count, vector])
            loss = (rank + 1) * tf.reduce_sum(sums[0] ** 2) + tf.reduce_sum(sums[2])
        return sums, tape.gradient(loss, [matrix, vector])

    matrix, vector = tf.constant([[1.0, 2.0], [3.0, 4.0]]) * (rank + 1), tf.ones(3) * rank
    arguments = matrix, tf.constant(rank + 5), vector
    program = tf.function(compute, autograph=False).get_concrete_function(*arguments)
    sums, gradients = program(*arguments)
    kinds = [operation.type for operation in program.graph.get_operations()]
    return {
        "sums": [each.numpy().tolist() for each in sums],
        "gradients": [each.numpy().tolist() for each in gradients],
        "messages": kinds.count("CollectiveReduceV2"),
    }


def refused():
    """Return the message about a model whose logs are not its metrics."""
    MODELS["own_metrics"] = lambda: dense(kind=OwnMetrics)
    try:
        train("own_metrics", "loop")
    except InputError as error:
        return str(error)


def lost(rank, save):
    """Kill worker 1; return (seconds, message) of worker 0's error."""
    _, steps = built("dense", "loop")
    rows = np.arange(BATCH, dtype=np.int32)[None]
    steps.run(rows)
    if rank == 1:
        save()
        os.kill(os.getpid(), signal.SIGKILL)
    begin = time.monotonic()
    try:
        while time.monotonic() < begin + 60:
            steps.run(rows)
    except WorkerError as error:
        return time.monotonic() - begin, str(error)


def main(path):
    group = current()
    results = {
        "gathered": [
            [part.hex() for part in gather(bytes(range(size)) * (group.rank + 1))]
            for size in (0, 1, 4, 7, 250)
        ],
        "reduced": reduced(group.rank),
        "joined": tf.function(concatenate)(tf.fill([group.rank + 1, 2], group.rank))
        .numpy()
        .tolist(),
        "refused": refused(),
        "has_strategy": tf.distribute.has_strategy() or "TF_CONFIG" in os.environ,
        "split": {},
        "complete": {},
    }
    for name in MODELS:
        if name == "own_metrics":
            continue
        with whole_batches():
            results["complete"][name] = train(name, "loop")
        for plan in backends.current().worker_plans(MODELS[name]()):
            if plan == "loop" or f"{name} {plan}" in OTHER_RUNS:
                results["split"][f"{name} {plan}"] = train(name, plan)

    def save():
        with open(path, "w") as file:
            json.dump(results, file)

    results["lost"] = lost(group.rank, save)
    save()


if __name__ == "__main__":
    main(sys.argv[2])
