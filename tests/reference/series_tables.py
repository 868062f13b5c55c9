"""A table that is a series: sensors of one machine, a state, missing values and a fault."""

import datetime

import numpy as np

FAULT = slice(400, 440)


def series_table(rows=900, seed=0, fault=False):
    """Return the columns of a series as a dict of lists, with a label of the rows of the fault.

    Three sensors follow one wave. In the fault the second one is stuck.
    """
    rng = np.random.default_rng(seed)
    wave = np.sin(np.arange(rows) / 4 + seed)
    start = datetime.datetime(2026, 1, 1)
    stuck = 20 * wave + rng.normal(0, 1, rows)
    label = np.zeros(rows, int)
    if fault:
        stuck[FAULT], label[FAULT] = stuck[FAULT.start], 1
    third = (1 - wave + rng.normal(0, 0.1, rows)).tolist()
    third[50] = None
    return {
        "time": [start + datetime.timedelta(minutes=row) for row in range(rows)],
        "inlet": (wave + rng.normal(0, 0.05, rows)).tolist(),
        "outlet": stuck.tolist(),
        "load": third,
        "running": (wave > 0).tolist(),
        "site": ["north"] * rows,
        "alarm": label.tolist(),
    }
