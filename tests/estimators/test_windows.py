"""Windows of series and intervals, against slow oracles in plain Python."""

import itertools

import numpy as np
import pytest

from ae_multi.errors import InputError
from ae_multi.estimators import thresholds, windows
from ae_multi.estimators.intervals import AnomalyInterval, join

pytestmark = [pytest.mark.backend, pytest.mark.once]


def series_of(timestamps, sensors=2):
    """Return a series whose values name their timestamp and sensor."""
    return (np.arange(timestamps)[:, None] * 10 + np.arange(sensors)).astype(np.float32)


def slow_windows(series, window, stride):
    """Return windows as lists of rows; the last one ends with the series."""
    rows, begin, result = series.tolist(), 0, []
    while begin + window <= len(rows):
        result.append(rows[begin : begin + window])
        begin += stride
    if result[-1][-1] != rows[-1]:
        result.append(rows[-window:])
    return result


@pytest.mark.parametrize(("window", "stride"), [(7, 3), (8, 4), (5, 5), (4, 1)])
def test_cut_equals_slow_windows_for_all_lengths(window, stride):
    for timestamps in range(window, window + 2 * stride + 1):
        series = series_of(timestamps)
        positions = windows.starts(timestamps, window, stride)
        cut = windows.cut(series, positions, window)
        assert cut.flags.c_contiguous
        assert cut.tolist() == slow_windows(series, window, stride)


def test_parts_hold_the_windows_of_each_series_and_none_across():
    lengths = (7, 8, 12, 13, 30)
    offsets = 1000 * np.arange(len(lengths), dtype=np.float32)
    series = [series_of(n) + offset for n, offset in zip(lengths, offsets, strict=True)]
    expected = list(itertools.chain(*(slow_windows(each, 7, 3) for each in series)))
    (whole,) = windows.Parts(series, 7, 3, 10**9)
    assert whole.tolist() == expected
    for max_bytes in (1, 200, 500):
        parts = windows.Parts(series, 7, 3, max_bytes)
        batches = list(parts)
        assert len(batches) == parts.count
        assert len({len(batch) for batch in batches}) == 1
        assert all(batch.nbytes <= max(max_bytes, 7 * 2 * 4) for batch in batches)
        seen = [window for batch in batches for window in batch.tolist()]
        assert all(window in expected for window in seen)
        assert all(window in seen for window in expected)
        # Fewer than a window of each part may be seen twice.
        assert len(seen) - len(expected) < parts.count


def test_mean_over_windows_equals_slow_mean():
    rng = np.random.default_rng(0)
    for timestamps in range(6, 15):
        positions = windows.starts(timestamps, 6, 4)
        errors = rng.random((len(positions), 6, 2))
        found = windows.mean_over_windows(
            zip(np.array_split(positions, 2), np.array_split(errors, 2), strict=True),
            timestamps,
            2,
        )
        for time, sensor in np.ndindex(timestamps, 2):
            values = [
                error[time - begin, sensor]
                for begin, error in zip(positions, errors, strict=True)
                if begin <= time < begin + 6
            ]
            assert found[time, sensor] == pytest.approx(np.mean(values))


@pytest.mark.parametrize("fraction", [0.05, 0.2, 0.6])
def test_split_holds_out_whole_windows_with_a_gap(fraction):
    for number, timestamps in enumerate([50, 51, 99, 250, 1000, 4003]):
        train, held_out = windows.split(3, number, timestamps, 10, fraction)
        assert held_out
        assert train
        used = np.zeros(timestamps, int)
        for rows in train:
            assert rows.stop - rows.start >= 10
            used[rows] = 1
        for context, segment in held_out:
            assert (segment.stop - segment.start) % 10 == 0
            assert 0 <= segment.start < segment.stop <= timestamps
            assert context.start == max(0, segment.start - 10)
            assert context.stop == min(timestamps, segment.stop + 10)
            assert not used[context].any()
            assert (used[segment] == 0).all()
        share = sum(segment.stop - segment.start for _, segment in held_out) / timestamps
        assert share <= max(fraction, 10 / timestamps) + 5 / timestamps
    assert windows.split(3, 0, 49, 10, fraction) == ([slice(0, 49)], [])


def test_split_depends_on_seed_and_series():
    splits = [windows.split(*key, 1000, 10, 0.2).held_out for key in ((0, 0), (0, 1), (1, 0))]
    assert splits[0] != splits[1] != splits[2] != splits[0]
    assert splits[0] == windows.split(0, 0, 1000, 10, 0.2).held_out


def test_join_merges_alarms_closer_than_the_gap():
    errors = np.ones((40, 3))
    errors[[3, 4, 8], 1] = 10
    errors[20, 2] = 34
    errors[[39], :2] = 7, 4
    found = join(errors, 1.5, 3)
    assert found == [
        AnomalyInterval(3, 5, 4.0, (1,)),
        AnomalyInterval(8, 9, 4.0, (1,)),
        AnomalyInterval(20, 21, 12.0, (2,)),
        AnomalyInterval(39, 40, 4.0, (0,)),
    ]
    assert [each[:2] for each in join(errors, 1.5, 4)] == [(3, 9), (20, 21), (39, 40)]
    assert [each[:2] for each in join(errors, 1.5, 0)] == [(3, 5), (8, 9), (20, 21), (39, 40)]
    assert join(errors, 1.5, 100, ["a", "b", "c"]) == [AnomalyInterval(3, 40, 12.0, ("c", "b"))]
    assert join(errors, 12, 3) == []


def test_threshold_of_blocks_of_one_score_is_the_conformal_one():
    """A new score is above the k-th smallest of 57 with probability 1 - k / 58."""
    errors = np.random.default_rng(0).random(57)
    for rate in (0.05, 0.1, 0.31):
        smallest = next(k for k in range(1, 58) if 1 - k / 58 <= rate)
        assert thresholds.calibrated_blocks(errors[:, None], rate) == np.sort(errors)[smallest - 1]


def test_threshold_of_blocks_bounds_the_rate_of_false_alarms():
    """The mean rate over many draws of dependent blocks is at most the promised one."""
    rng = np.random.default_rng(0)
    rates = []
    for _ in range(2000):
        # The scores of a block share a level.
        blocks = rng.normal(size=(41, 1)) + 0.5 * rng.normal(size=(41, 10))
        limit = thresholds.calibrated_blocks(blocks[:40], 0.1)
        rates.append((blocks[40] > limit).mean())
    error = np.std(rates) / np.sqrt(len(rates))
    assert 0.1 - 1 / 41 - 3 * error < np.mean(rates) < 0.1 + 3 * error


def test_threshold_of_too_few_blocks_is_refused():
    thresholds.calibrated_blocks(np.zeros((19, 8)), 0.05)
    with pytest.raises(InputError, match=r"at least 19 held-out blocks of 8 .* Received: 18"):
        thresholds.calibrated_blocks(np.zeros((18, 8)), 0.05)
