"""Tables of `benchmarks.detection`: ADBench, ODDS, synthetic anomalies and sensors."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from ae_multi.data.mat import read_mat
from benchmarks.synthetic_anomalies import TYPES, make_anomalies, make_sensors

ADBENCH = (
    "annthyroid", "breastw", "campaign", "Cardiotocography", "cover", "fault", "Hepatitis",
    "landsat", "mammography", "PageBlocks", "skin", "SpamBase", "Stamps", "Waveform", "WBC",
    "Wilt", "wine", "yeast",
)  # fmt: skip
ODDS = ("cardio", "ionosphere", "letter", "mnist", "pendigits", "pima", "satellite", "vowels")
# Real tables with many continuous columns, whose normal rows the synthetic anomalies join.
BASES = ("cardio", "fault", "landsat", "mammography", "pendigits", "Waveform", "Wilt", "yeast")
SENSORS = {"sensors-1": 1, "sensors-3": 3}
_SENSOR_ROWS = 50_000
PROTOCOLS = ("contaminated", "clean")
_TESTED = 0.3


def names(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the tables that can be read; ADBench and ODDS need the folders in ``environment``.

    A name is that of an ADBench table, "odds/NAME", "TYPE/NAME" with a type of synthetic anomalies
    and the real table of the normal rows, or a key of `SENSORS`.
    """
    has_adbench = bool(environment.get("AE_MULTI_ADBENCH"))
    has_odds = bool(environment.get("AE_MULTI_ODDS"))
    found = [*(ADBENCH if has_adbench else ()), *(f"odds/{n}" for n in ODDS if has_odds)]
    bases = [base for base in BASES if (has_odds if base in ODDS else has_adbench)]
    return [*found, *(f"{kind}/{base}" for kind in TYPES for base in bases), *SENSORS]


def group_of(name: str) -> str:
    """Return the group of a table: "ADBench", "ODDS", "sensors" or the type of its anomalies."""
    first, _, rest = name.partition("/")
    if rest:
        return "ODDS" if first == "odds" else first
    return "sensors" if name in SENSORS else "ADBench"


def load(name: str, seed: int, max_rows: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and labels of a table.

    Args:
        name: a name of `names`.
        seed: seed of synthetic anomalies and of the rows that are drawn for ``max_rows``.
        max_rows: rows to draw from a larger table, with the share of anomalies unchanged; None for
            all rows.

    Returns:
        (rows, labels), float64 (n, features) and int64 (n,), 1 for anomalies.
    """
    if name in SENSORS:
        return _drawn(*make_sensors(_SENSOR_ROWS, SENSORS[name]), seed, max_rows)
    kind, _, base = name.rpartition("/")
    rows, labels = _drawn(*_read(base, odds=kind == "odds" or base in ODDS), seed, max_rows)
    if kind not in TYPES:
        return rows, labels
    return make_anomalies(rows[labels == 0], kind, int(labels.sum()), seed)


def split(
    rows: np.ndarray, labels: np.ndarray, protocol: str, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (training rows, test rows, test labels), standardised by the training rows.

    Args:
        rows: rows of shape (n, features).
        labels: 1 for anomalies.
        protocol: "contaminated", 70 % of the rows for training, anomalies included; or "clean",
            the normal ones among them.
        seed: seed of the split.
    """
    train, test, of_train, of_test = train_test_split(
        rows, labels, test_size=_TESTED, stratify=labels, random_state=seed
    )
    if protocol == "clean":
        train = train[of_train == 0]
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(test), of_test


def _read(name, odds):
    if odds:
        return read_mat(Path(os.environ["AE_MULTI_ODDS"]) / f"{name}.mat")
    with np.load(Path(os.environ["AE_MULTI_ADBENCH"]) / f"{name}.npz") as content:
        return content["X"].astype(float), content["y"].astype(int)


def _drawn(rows, labels, seed, max_rows):
    if max_rows is None or len(rows) <= max_rows:
        return rows, labels
    rows, _, labels, _ = train_test_split(
        rows, labels, train_size=max_rows, stratify=labels, random_state=seed
    )
    return rows, labels
