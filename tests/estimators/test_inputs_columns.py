"""Errors about invalid values state the column."""

import datetime

import numpy as np
import pandas as pd
import pytest

import ae_multi
from ae_multi.errors import InputError

pytestmark = [pytest.mark.backend, pytest.mark.once]


SMALL = {"model": "simple", "latent_dim": 2, "epochs": 2}
FRAME = {"age": [1.0, 2.0, 3.0], "weight": [4.0, 5.0, 6.0]}

FAULTS = {
    "nan": ([4.0, 5.0, np.nan], r"nan in the column {}, row 2\..*contains NaN"),
    "infinity": ([4.0, -np.inf, 5.0], r"-inf in the column {}, row 1\..*contains infinity"),
    "none": ([4.0, None, "6"], r"None \(NoneType\) in the column {}, row 1"),
    "text": (["4", "5", "six"], r"six \(str\) in the column {}, row 2"),
    "mixed": ([4.0, "five", 6.0], r"five \(str\) in the column {}, row 1"),
    "date": (
        pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-03"]),
        r"2020-01-01\S* \(datetime64\) in the column {}, row 0",
    ),
    "dates": (
        [datetime.date(2020, 1, 1)] * 3,
        r"2020-01-01 \(date\) in the column {}, row 0",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_error_names_the_column_of_an_invalid_value(fault):
    values, message = FAULTS[fault]
    frame = pd.DataFrame({**FRAME, "weight": values})
    with pytest.raises(InputError, match=message.format("'weight'")):
        ae_multi.AnomalyDetector(**SMALL).fit(frame)
    rows = [list(row) for row in frame.itertuples(index=False)]
    if fault != "date":
        with pytest.raises(InputError, match=message.format("1")):
            ae_multi.AnomalyDetector(**SMALL).fit(rows)
    fitted = ae_multi.AnomalyDetector(**SMALL).fit(pd.DataFrame(FRAME))
    with pytest.raises(InputError, match=message.format("'weight'")):
        fitted.predict(frame)


def test_error_names_the_column_of_a_polars_frame():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({**FRAME, "weight": [4.0, float("nan"), 1.0]})
    with pytest.raises(InputError, match=r"nan in the column 'weight', row 1"):
        ae_multi.AnomalyDetector(**SMALL).fit(frame)


def test_error_of_a_model_names_the_column_of_text():
    model = ae_multi.SimpleAutoencoder(2, 2)
    with pytest.raises(InputError, match=r"six \(\w+\) in the column 1, row 0"):
        model.encode(np.array([["4", "six"], ["1", "2"]]))
