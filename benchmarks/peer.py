"""One peer's autoencoder, of the sizes of one of ours, in a process of its own."""

import importlib
from importlib import metadata

from benchmarks.peers import available

NAMES = ("lightning", "pyod", "pythae", "scikit_learn", "skorch")


def measure(peer, model, batch_size, samples):
    """Samples per second of a peer in training, or None where it is not installed.

    Args:
        peer: a name among `NAMES`.
        model: "simple" or "deep".
        batch_size: samples in a step.
        samples: how many images, or None for all.
    """
    from benchmarks.networks import images, network

    if f"{peer}_fit" not in available():
        return None
    module = importlib.import_module(f"benchmarks.peers.{peer}_fit")
    version = metadata.version(module.PACKAGE)
    x, _ = images(samples)
    made = network(model, x.shape[1:])
    dense = [layer for layer in [*made.encoder.layers, *made.decoder.layers] if layer.weights]
    sizes = [dense[0].kernel.shape[0], *(layer.kernel.shape[1] for layer in dense)]
    activations = [layer.activation.__name__ for layer in dense]
    flat = x.reshape(len(x), -1)
    took = module.epoch_seconds(sizes, activations, flat, batch_size, 1e-3, epochs=2)
    return {"version": version, "samples_per_second": len(x) / took}
