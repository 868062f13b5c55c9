"""Cold start: import, first epochs and memory of one contender in a separate process."""

import time

_BEGIN = time.perf_counter()


def measure(
    contender: str, model: str, batch_size: int, samples: int | None
) -> dict[str, float | int]:
    """Measure the cold start of one contender.

    Args:
        contender: "native", "ours" or "keras.fit".
        model: a name of `networks.NAMES`.
        batch_size: samples per step.
        samples: number of images, or None for all.

    Returns:
        Dict of seconds: ``import_seconds``; ``first_epoch`` and ``two_epochs`` of new models,
        compilation included (two trainings, because the choice of the plan depends on the number
        of epochs); and of bytes: ``data_bytes``, ``state_bytes`` (model and optimizer) and
        ``peak_bytes``, the increase of the peak memory of the process in the first training.
    """
    from ae_multi import backends
    from benchmarks.contenders import plain, seconds
    from benchmarks.networks import images, network

    backends.current().full_precision()
    import_seconds = time.perf_counter() - _BEGIN
    x, _ = images(samples)
    first = network(model, x.shape[1:])
    state = 3 * sum(
        weight.value.nbytes if hasattr(weight.value, "nbytes") else 0
        for weight in first.trainable_variables
    )
    before = _peak()
    if contender == "native":
        times = {"first_epoch": seconds(lambda: train_by_hand(first, x, batch_size, 1))}
        peak = _peak()
        times["two_epochs"] = seconds(lambda: train_by_hand(first, x, batch_size, 2))
    else:
        arguments = {"batch_size": batch_size, "verbose": 0}
        data = (x,) if contender == "ours" else (x, x)
        one = first if contender == "ours" else plain(first)
        times = {"first_epoch": seconds(lambda: one.fit(*data, epochs=1, **arguments))}
        peak = _peak()
        two = network(model, x.shape[1:])
        two = two if contender == "ours" else plain(two)
        times["two_epochs"] = seconds(lambda: two.fit(*data, epochs=2, **arguments))
    return {
        "import_seconds": import_seconds,
        **times,
        "data_bytes": x.nbytes,
        "state_bytes": state,
        "peak_bytes": peak - before,
    }


def train_by_hand(model, x, batch_size, epochs):
    """Build the hand-written loop for a model and run it.

    Args:
        model: a compiled `Autoencoder`.
        x: samples, also the targets.
        batch_size: samples per step.
        epochs: passes over the data.
    """
    from ae_multi.data.batches import BatchOrder
    from benchmarks.contenders import native

    epoch, order = native(model, x), BatchOrder(len(x), batch_size, 0)
    for number in range(epochs):
        for rows in order.epoch(number):
            if rows.size:
                epoch(rows)


def _peak():
    """Return the peak memory of this process in bytes."""
    import resource
    import sys

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else 1024 * size
