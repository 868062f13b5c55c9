"""A table with missing values, categories, dates, booleans, identifiers and a constant."""

import datetime

import numpy as np

CITIES = ("Oslo", "Bergen", "Tromsø", "Narvik")


def real_table(rows=2000, seed=0):
    """Return the columns of a table as a dict of lists, with a label of about 3 % anomalies.

    In an anomalous row the pressure does not belong to the speed.
    """
    rng = np.random.default_rng(seed)
    speed = rng.uniform(0, 1, rows)
    is_broken = rng.random(rows) < 0.03
    pressure = 40 * speed**2 + rng.normal(0, 0.5, rows) + np.where(is_broken, 15, 0)
    is_running = speed > 0.3
    city = rng.choice(CITIES, rows, p=(0.6, 0.25, 0.1, 0.05))
    start = datetime.datetime(2025, 1, 1)
    times = [start + datetime.timedelta(minutes=17 * row) for row in range(rows)]
    days = rng.integers(0, 900, rows)
    serviced = [datetime.date(2022, 6, 1) + datetime.timedelta(days=int(day)) for day in days]

    def sometimes(values, share):
        return [None if gone else value
                for value, gone in zip(values, rng.random(rows) < share, strict=True)]  # fmt: skip

    return {
        "row": list(range(1, rows + 1)),
        "serial": [f"P-{number:06d}" for number in rng.permutation(rows)],
        "time": times,
        "speed": sometimes((100 * speed).round(3).tolist(), 0.05),
        "pressure": pressure.round(4).tolist(),
        "running": is_running.tolist(),
        "city": sometimes(city.tolist(), 0.04),
        "serviced": serviced,
        "unit": ["bar"] * rows,
        "alarm": is_broken.astype(int).tolist(),
    }


KINDS = {
    "row": "identifier",
    "serial": "identifier",
    "time": "clock",
    "speed": "number",
    "pressure": "number",
    "running": "boolean",
    "city": "category",
    "serviced": "date",
    "unit": "constant",
}


def write_table(path, columns, separator=",", encoding="utf-8"):
    """Write the columns as CSV, missing values as empty text; return the path."""
    from tests.reference.tables import write_csv

    rows = zip(*columns.values(), strict=True)
    return write_csv(path, [*columns], rows, delimiter=separator, encoding=encoding)
