"""Networks and training settings that were tried for the tasks, and the table of their results.

A trial trains on the first five sixths of the training images and is evaluated on the others.
"""

from rich.table import Table

from benchmarks.quality_targets import ROWS

# The network and the training that `features` uses with masked pixels.
_WIDE = {"hidden": [1000, 500, 250], "learning_rate": 2e-3, "epochs": 10}
# Common choices.
_PLAIN = {"activation": "relu", "batch_size": 128}
_DETECTORS = (
    {}, {"learning_rate": 2e-3}, {"hidden": [512, 128]}, {"latent_dim": 8}, {"latent_dim": 32},
)  # fmt: skip
# Dict of row to the changes of the defaults; the empty change, the defaults, comes first.
ABLATIONS = {
    "reduce-9": ({}, {"batch_size": 128}, _PLAIN, {"hidden": [256]}, {"hidden": [512, 256]}),
    "reduce-32": (
        {}, {"batch_size": 128}, _PLAIN, {"hidden": [256]}, {"hidden": [512, 256, 128]},
        {"learning_rate": 2e-3},
    ),
    "reduce-30": ({}, {"batch_size": 128}, _PLAIN, {"learning_rate": 2e-3}),
    "denoise-0.4": (
        {}, {"epochs": 4}, {"epochs": 4, "learning_rate": 1e-3},
        {"epochs": 4, "learning_rate": 4e-3}, {"epochs": 4, "hidden": [16, 32, 64]},
    ),
    "detect-one": _DETECTORS,
    "detect-nine": _DETECTORS,
    "odds": ({}, {"learning_rate": 2e-3}, {"hidden": [64]}, {"latent_dim": 4}, {"epochs": 30}),
    "features-9": ({}, _PLAIN, {"masked": 0.75}),
    "features-32": (
        {}, {"masked": 0, **_PLAIN}, {"masked": 0, **_PLAIN, **_WIDE}, {"masked": 0.5},
        {"masked": 0.9}, {"hidden": [512, 256]}, {"activation": "elu"}, {"learning_rate": 1e-3},
        {"epochs": 20},
    ),
    "segment": (
        {}, {"learning_rate": 4e-3}, {"filters": [16, 32, 64]},
        {"filters": [16, 32, 64], "stride": 1},
    ),
}  # fmt: skip
# Numbers of seeds of the rows where the settings differ by less than the spread over seeds.
SEEDS = {"features-9": 3, "odds": 3}


def words(parameters):
    """Format parameters as one line of text."""
    each = (f"{name} {_text(value)}" for name, value in parameters.items())
    return ", ".join(each) or "the defaults"


def lines(trials):
    """Yield a row of the table for each trial, a tuple of strings, in the order of `ABLATIONS`."""
    for name in ABLATIONS:
        row = ROWS[name]
        for trial in (each for each in trials if each["row"] == name):
            yield (
                name,
                words(trial["parameters"]),
                row.measure,
                row.text(trial["value"]),
                str(trial["epochs"]),
                f"{trial['seconds']:.0f}",
            )


def table(trials):
    """Return a table with a row for each trial."""
    result = Table("task", title="Trials on a split of the training images", title_justify="left")
    for name in ("tried", "measure", "on the evaluation split", "epochs", "seconds"):
        result.add_column(name, justify="left" if name in ("tried", "measure") else "right")
    for cells in lines(trials):
        result.add_row(*cells)
    return result


def _text(value):
    if isinstance(value, list):
        return "-".join(map(str, value))
    return value if isinstance(value, str) else f"{value:g}"
