"""The first second: one contender in a process of its own, from nothing to its first epochs."""

import time

_BEGIN = time.perf_counter()


def measure(contender, model, batch_size, samples):
    """What it takes one contender to begin.

    Args:
        contender: "native", "ours" or "keras.fit".
        model: a name among `networks.NAMES`.
        batch_size: samples in a step.
        samples: how many images, or None for all.

    Returns:
        Dict of seconds: ``import_seconds``; ``first_epoch`` and ``two_epochs`` of a new model,
        compiling included (for "ours" two trainings: a training of one epoch and one of two
        choose among plans by what they are); and bytes: ``data_bytes``, ``state_bytes`` (model and
        optimizer) and ``peak_bytes``, by which the first training raised the process's memory.
    """
    from ae_multi import backends
    from benchmarks.contenders import plain, seconds
    from benchmarks.networks import images, network

    backends.current().full_precision()
    imported = time.perf_counter() - _BEGIN
    x, _ = images(samples)
    made = network(model, x.shape[1:])
    state = 3 * sum(
        weight.value.nbytes if hasattr(weight.value, "nbytes") else 0
        for weight in made.trainable_variables
    )
    before = _peak()
    if contender == "native":
        found = {"first_epoch": seconds(lambda: train_by_hand(made, x, batch_size, 1))}
        peak = _peak()
        found["two_epochs"] = seconds(lambda: train_by_hand(made, x, batch_size, 2))
    else:
        fitting = {"batch_size": batch_size, "verbose": 0}
        data = (x,) if contender == "ours" else (x, x)
        one = made if contender == "ours" else plain(made)
        found = {"first_epoch": seconds(lambda: one.fit(*data, epochs=1, **fitting))}
        peak = _peak()
        two = network(model, x.shape[1:])
        two = two if contender == "ours" else plain(two)
        found["two_epochs"] = seconds(lambda: two.fit(*data, epochs=2, **fitting))
    return {
        "import_seconds": imported,
        **found,
        "data_bytes": x.nbytes,
        "state_bytes": state,
        "peak_bytes": peak - before,
    }


def train_by_hand(made, x, batch_size, epochs):
    """Build the loop by hand that equals the model ``made`` and train it."""
    from ae_multi.training.loop import BatchOrder
    from benchmarks.contenders import native

    epoch, order = native(made, x), BatchOrder(len(x), batch_size, 0)
    for number in range(epochs):
        for rows in order.epoch(number):
            if rows.size:
                epoch(rows)


def _peak():
    """The most memory that this process has held, in bytes."""
    import resource
    import sys

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else 1024 * size
