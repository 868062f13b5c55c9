"""Expected efficiency of several workers."""

import pytest

from benchmarks.workers_efficiency import Network, lines, ring_seconds


def test_ring_sends_each_part_to_each_worker_twice():
    # 4 workers, 8 bytes: 6 messages of 2 bytes at 1 byte per second, each half a second late.
    network = Network("slow", bandwidth=1.0, latency=0.5)
    assert ring_seconds(8, 4, network) == 6 * (2 + 0.5)
    assert ring_seconds(8, 4, network, has_latency=False) == 12


def test_lines_use_the_fastest_plan_and_state_the_step_of_90_percent():
    plans = {"slow": {"microseconds": 900.0}, "fast": {"microseconds": 100.0}}
    result = {"backend": "jax", "model": "deep", "precision": "float32, TF32 off", "plans": plans}
    rows = list(lines({"results": [result]}))
    assert [row[0] for row in rows] == ["jax `fast`"] * 3
    for row in rows:
        expected, share = float(row[4].split()[0]), float(row[5].rstrip("%"))
        assert share == pytest.approx(100 * 100 / (100 + expected), abs=1)
        assert float(row[6].split()[0]) == pytest.approx(9e-3 * expected, abs=0.06)
