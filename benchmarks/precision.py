"""Speed and error of TF32 and bfloat16 compared with float32: ``nox -s precision``.

TF32 rounds the inputs of matrix products to ten bits of mantissa, on GPUs that support it. bfloat16
is Keras's policy ``mixed_bfloat16``: layers compute with seven bits, weights stay float32. All
precisions train from the same initial weights, with epochs in turns. All reconstruct with the same
weights; NumPy computes the exact reconstruction in float64.
"""

import argparse
import statistics
import sys

import numpy as np
from rich.table import Table

from ae_multi.argument_checks import check_positive
from ae_multi.cli.options import check_names, comma_separated
from ae_multi.cli.status import status_of
from ae_multi.report.tables import console
from benchmarks.command import add_run_options, check_paths, measure_models

MODELS = ("simple", "deep")  # dense models, which are simple to compute in NumPy
POLICIES = {"float32": "float32", "TF32": "float32", "bfloat16": "mixed_bfloat16"}
_RECONSTRUCTED = 10_000  # images that are reconstructed
_EPOCHS = 3  # epochs in a turn; the first is not timed


def main(arguments=None):
    """Measure every backend and print a table; return the exit status."""
    options = _parser().parse_args(arguments)
    return status_of("precision", lambda: _measure_all(options))


def _measure_all(options):
    check_positive(batch_size=options.batch_size, repeats=options.repeats)
    check_names("--model", options.model, MODELS)
    check_paths(options.json)
    job = {name: getattr(options, name) for name in ("batch_size", "samples", "repeats")}
    recorded = measure_models(options, "precision", job)
    console().print(table(recorded))
    return 0


def measure(model, batch_size, samples, repeats):
    """Measure speed and error at each precision on the backend of this process.

    Args:
        model: a name of `MODELS`.
        batch_size: samples per step.
        samples: number of images, or None for all.
        repeats: number of turns.

    Returns:
        Dict of the environment, the job, and ``precisions``: name to dict of
        ``samples_per_second`` in training, ``mse`` of the training images after one epoch, ``rms``
        and ``largest`` error of a reconstructed pixel, and the ``plan``.
    """
    from ae_multi.environment import describe_backend
    from benchmarks.contenders import Clock, chosen
    from benchmarks.networks import images

    x, data = images(samples)
    environment = describe_backend()
    on_cpu = environment["device"].startswith("cpu")
    names = [name for name in POLICIES if name != "TF32" or not on_cpu]
    trained = {name: _network(name, model, x) for name in names}
    results, arguments = {}, {"batch_size": batch_size, "verbose": 0}
    for name, network in trained.items():
        _set(name)
        history = network.fit(x, **arguments)
        results[name] = {"mse": float(history.history["loss"][-1]), "seconds": []}
    weights = trained["float32"].get_weights()
    some = x[:_RECONSTRUCTED]
    exact = _exact_reconstruction(trained["float32"], some)
    for name, network in trained.items():
        _set(name)
        network.set_weights(weights)
        errors = network.reconstruct(some).astype(np.float64).reshape(exact.shape) - exact
        results[name] |= {"rms": float(np.sqrt(np.mean(errors**2)))}
        results[name] |= {"largest": float(np.abs(errors).max())}
        results[name]["plan"] = chosen(network, x, batch_size).name
    for _ in range(repeats):
        for name, network in trained.items():
            _set(name)
            clock, plan = Clock(), results[name]["plan"]
            network.fit(x, epochs=_EPOCHS, plan=plan, callbacks=[clock], **arguments)
            results[name]["seconds"] += clock.seconds[1:]
    for result in results.values():
        result["samples_per_second"] = len(x) / statistics.median(result.pop("seconds"))
    return {
        **environment,
        "model": model,
        "data": data,
        "samples": len(x),
        "batch_size": batch_size,
        "precisions": results,
    }


def _network(precision, model, x):
    """Return the compiled network with the dtype policy of a precision."""
    from ae_multi._keras import keras
    from benchmarks.networks import network

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(POLICIES[precision])
    try:
        return network(model, x.shape[1:])
    finally:
        keras.config.set_dtype_policy(before)


def _set(precision):
    """Enable TF32 for "TF32", disable it for other precisions."""
    from ae_multi import backends

    backend = backends.current()
    backend.allow_tf32() if precision == "TF32" else backend.full_precision()


def _exact_reconstruction(model, x):
    """Return the reconstructions of ``x``, computed by NumPy in float64, as (n, pixels)."""
    from benchmarks.native.description import describe

    output = x.reshape(len(x), -1).astype(np.float64)
    for layer in describe([*model.encoder.layers, *model.decoder.layers]):
        if layer.kernel is not None:
            output = output @ layer.kernel.astype(np.float64) + layer.bias
            output = {
                "relu": lambda h: np.maximum(h, 0),
                "sigmoid": lambda h: 1 / (1 + np.exp(-h)),
                "linear": lambda h: h,
            }[layer.activation](output)
    return output


def lines(recorded):
    """Yield a row of the table for each precision of each result, a tuple of strings."""
    for result in recorded["results"]:
        precisions = result["precisions"]
        rate = precisions["float32"]["samples_per_second"]
        for name, measured in precisions.items():
            yield (
                result["model"],
                f"{result['backend']} {result['versions'][result['backend']]}",
                result["device"],
                name,
                f"{measured['samples_per_second']:,.0f}",
                f"{measured['samples_per_second'] / rate:.2f}",
                f"{measured['rms']:.1e}",
                f"{measured['largest']:.1e}",
                f"{measured['mse']:.5f}",
            )


def table(recorded):
    """Return a table with a row for each precision of each model on each backend."""
    result = Table(
        "model",
        "backend",
        "device",
        "precision",
        title="Training, and the error of a reconstructed pixel",
        title_justify="left",
    )
    for name in ("samples/s", "/ float32", "rms error", "largest", "MSE after an epoch"):
        result.add_column(name, justify="right")
    for cells in lines(recorded):
        result.add_row(*cells)
    return result


def _parser():
    parser = argparse.ArgumentParser(prog="precision", description=__doc__.partition("\n")[0])
    add_run_options(parser, "write the results as JSON")
    parser.add_argument(
        "--model",
        type=comma_separated,
        default=MODELS,
        metavar="NAMES",
        help=f"comma-separated models: {', '.join(MODELS)} (default: all)",
    )
    parser.add_argument(
        "--batch-size", type=int, default=128, metavar="N", help="samples per batch (default: 128)"
    )
    parser.add_argument("--samples", type=int, metavar="N", help="number of images (default: all)")
    parser.add_argument(
        "--repeats", type=int, default=3, metavar="N", help="number of timed turns (default: 3)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
