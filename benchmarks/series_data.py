"""Series of several sensors with known faults, on which detectors in time series are judged.

A few hidden factors (a season with a varying amplitude, a second period, a slow load) drive all
sensors. Each sensor is a mixture of lagged factors, half of them through a saturation or a square,
plus white noise.
"""

from typing import NamedTuple

import numpy as np

KINDS = ("spike", "level shift", "stuck", "drift", "broken correlation", "changed frequency")
_NOISE = 0.15  # standard deviation of the noise, relative to that of a sensor
_LONGEST_LAG = 12
_FACTORS = 3


class Fault(NamedTuple):
    """A fault of one sensor.

    Attributes:
        kind: one of `KINDS`.
        sensor: index of the sensor.
        begin: index of the first timestamp.
        end: index after the last timestamp.
    """

    kind: str
    sensor: int
    begin: int
    end: int


class Plant:
    """A source of normal series, whose sensors react to the same factors in every series.

    Args:
        seed: seed of the mixture.
        sensors: number of sensors.
    """

    def __init__(self, seed: int = 0, sensors: int = 8) -> None:
        rng = np.random.default_rng([seed, 0])
        self.seed, self.sensors = seed, sensors
        self._weights = rng.normal(size=(_FACTORS, sensors))
        self._lags = rng.integers(0, _LONGEST_LAG + 1, (_FACTORS, sensors))
        self._shapes = rng.permutation(np.arange(sensors) % 4)  # 2: saturation, 3: square

    def normal(self, timestamps: int, number: int = 0) -> np.ndarray:
        """Return a series without faults: float64 of shape (timestamps, sensors).

        Args:
            timestamps: length of the series.
            number: number of the series; each has other noise and another course of the factors.
        """
        return self._series(timestamps, number)[0]

    def faulty(
        self, timestamps: int, number: int = 1, each: int = 2
    ) -> tuple[np.ndarray, list[Fault]]:
        """Return a series with ``each`` faults of every kind, and the faults in order of time."""
        series, clean = self._series(timestamps, number)
        rng = np.random.default_rng([self.seed, number, 2])
        kinds = rng.permutation(np.repeat(KINDS, each))
        room = timestamps // len(kinds)
        faults = []
        for position, kind in enumerate(kinds):
            length = int(rng.integers(1, 4) if kind == "spike" else rng.integers(40, room // 3))
            begin = int(position * room + rng.integers(room // 4, room - length))
            fault = Fault(str(kind), int(rng.integers(self.sensors)), begin, begin + length)
            _inject(series, clean, fault, rng)
            faults.append(fault)
        return series, faults

    def _series(self, timestamps: int, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (sensors with noise, sensors without noise)."""
        rng = np.random.default_rng([self.seed, number, 1])
        factors = _factors(timestamps + _LONGEST_LAG, rng)
        clean = np.zeros((timestamps, self.sensors))
        for factor, weights, lags in zip(factors.T, self._weights, self._lags, strict=True):
            for sensor, (weight, lag) in enumerate(zip(weights, lags, strict=True)):
                begin = _LONGEST_LAG - lag
                clean[:, sensor] += weight * factor[begin : begin + timestamps]
        clean[:, self._shapes == 2] = np.tanh(1.5 * clean[:, self._shapes == 2])
        clean[:, self._shapes == 3] = np.square(clean[:, self._shapes == 3]) / 2
        noise = rng.normal(size=clean.shape) * _NOISE * clean.std(axis=0)
        return clean + noise, clean


def is_faulty(timestamps: int, faults: list[Fault]) -> np.ndarray:
    """Return which timestamps belong to a fault: booleans of shape (timestamps,)."""
    mask = np.zeros(timestamps, bool)
    for fault in faults:
        mask[fault.begin : fault.end] = True
    return mask


def _factors(timestamps: int, rng: np.random.Generator) -> np.ndarray:
    """Return the factors, each of variance about 1: float64 of shape (timestamps, factors)."""
    time = np.arange(timestamps)
    # Phases wander, so that no two periods are equal.
    season = 2 * np.pi * (time / 96 + np.cumsum(rng.normal(0, 0.003, timestamps)))
    second = 2 * np.pi * (time / 37 + np.cumsum(rng.normal(0, 0.003, timestamps)))
    amplitude = 1 + 0.3 * _slow(timestamps, rng, 400)
    return np.stack(
        [
            amplitude * (np.sin(season) + 0.5 * np.sin(2 * season + 1)),
            1.2 * np.sin(second),
            _slow(timestamps, rng, 60),
        ],
        axis=1,
    )


def _slow(timestamps: int, rng: np.random.Generator, width: int) -> np.ndarray:
    """Return noise that is smooth over ``width`` timestamps, of variance about 1."""
    kernel = np.hanning(width + 2)
    noise = rng.normal(size=timestamps + len(kernel) - 1)
    return np.convolve(noise, kernel / np.linalg.norm(kernel), "valid")


def _inject(series: np.ndarray, clean: np.ndarray, fault: Fault, rng: np.random.Generator) -> None:
    """Write ``fault`` into ``series`` in place.

    Args:
        series: all sensors, with noise.
        clean: all sensors without noise.
        fault: the fault.
        rng: generator of its size and sign.
    """
    rows, length = slice(fault.begin, fault.end), fault.end - fault.begin
    values, spread = series[:, fault.sensor], clean[:, fault.sensor].std()
    sign = rng.choice([-1, 1])
    noise = values[rows] - clean[rows, fault.sensor]
    if fault.kind == "spike":
        values[rows] += sign * 3 * spread
    elif fault.kind == "level shift":
        values[rows] += sign * spread
    elif fault.kind == "stuck":
        values[rows] = values[fault.begin - 1]
    elif fault.kind == "drift":
        values[rows] += sign * np.linspace(0, 2 * spread, length)
    elif fault.kind == "broken correlation":
        # The sensor at another time: normal by itself, not beside the others.
        away = (fault.begin + len(series) // 2 + 17) % (len(series) - length)
        values[rows] = clean[away : away + length, fault.sensor] + noise
    else:  # the sensor runs at twice the speed from the beginning of the fault
        fast = np.minimum(fault.begin + 2 * np.arange(length), len(series) - 1)
        values[rows] = clean[fast, fault.sensor] + noise
