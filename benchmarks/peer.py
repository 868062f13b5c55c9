"""Training of one peer's autoencoder, with the layer sizes of one of ours, in this process."""

import importlib
from importlib import metadata

from benchmarks.peers import available

NAMES = ("lightning", "pyod", "pythae", "scikit_learn", "skorch")


def measure(peer: str, model: str, batch_size: int, samples: int | None) -> dict | None:
    """Measure the training of a peer.

    Args:
        peer: a name of `NAMES`.
        model: "simple" or "deep".
        batch_size: samples per step.
        samples: number of images, or None for all.

    Returns:
        Dict of ``version`` and ``samples_per_second``, or None if the peer is not installed.
    """
    from benchmarks.networks import images, network

    if f"{peer}_fit" not in available():
        return None
    module = importlib.import_module(f"benchmarks.peers.{peer}_fit")
    version = metadata.version(module.PACKAGE)
    x, _ = images(samples)
    ours = network(model, x.shape[1:])
    dense = [layer for layer in [*ours.encoder.layers, *ours.decoder.layers] if layer.weights]
    sizes = [dense[0].kernel.shape[0], *(layer.kernel.shape[1] for layer in dense)]
    activations = [layer.activation.__name__ for layer in dense]
    flat = x.reshape(len(x), -1)
    seconds = module.epoch_seconds(sizes, activations, flat, batch_size, 1e-3, epochs=2)
    return {"version": version, "samples_per_second": len(x) / seconds}
