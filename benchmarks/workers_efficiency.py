"""Expected efficiency of several workers, from measured step times and the network's properties.

A ring sends 2 (n - 1) messages of 1/n of the gradient from worker to worker, one after the other.
The sum over n workers therefore takes at least 2 (n - 1) / n · bytes / bandwidth (Patarasuk & Yuan,
"Bandwidth optimal all-reduce algorithms for clusters of workstations", 2009, theorem 1), and each
message has a latency in addition. Computation and communication are assumed not to overlap, as in
the plans of this package.
"""

from typing import NamedTuple

# Values of a DeepAutoencoder's weights, in float32.
DEEP_BYTES = 4 * 224_601
WORKERS = 8


class Network(NamedTuple):
    """Properties of a network, which are assumed, not measured.

    Attributes:
        name: name for tables.
        bandwidth: bytes per second in each direction.
        latency: seconds of each message.
    """

    name: str
    bandwidth: float
    latency: float


NETWORKS = (
    Network("8 GPUs, NVLink 450 GB/s", 450e9, 2e-6),
    Network("8 hosts, 100 Gbit/s", 12.5e9, 20e-6),
    Network("8 hosts, 25 Gbit/s", 3.125e9, 20e-6),
)


def ring_seconds(size: int, workers: int, network: Network, has_latency: bool = True) -> float:
    """Return the time of the sum of ``size`` bytes over workers; without latency, its bound."""
    messages = 2 * (workers - 1)
    latency = network.latency if has_latency else 0.0
    return messages * (size / workers / network.bandwidth + latency)


def lines(recorded):
    """Yield the rows of the table, from the recorded steps on a GPU."""
    for result in recorded["results"]:
        if result["model"] != "deep" or not result["precision"].startswith("float32, TF32 off"):
            continue
        plan, seconds = min(
            ((name, 1e-6 * each["microseconds"]) for name, each in result["plans"].items()),
            key=lambda pair: pair[1],
        )
        for network in NETWORKS:
            bound, expected = (
                ring_seconds(DEEP_BYTES, WORKERS, network, has_latency)
                for has_latency in (False, True)
            )
            yield (
                f"{result['backend']} `{plan}`",
                network.name,
                f"{1e6 * seconds:.0f} µs",
                f"{1e6 * bound:.0f} µs",
                f"{1e6 * expected:.0f} µs",
                f"{seconds / (seconds + expected):.0%}",
                f"{1e3 * 9 * expected:.1f} ms",
            )
