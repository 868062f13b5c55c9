"""State of a `TablePreprocessor` as numbers, text and lists, for files."""

from __future__ import annotations

from typing import Any

from ae_multi.argument_checks import as_plain
from ae_multi.errors import InputError
from ae_multi.estimators.column_encoders import (
    CategoryEncoder,
    DateEncoder,
    NumberEncoder,
    encoder_from_plain,
    encoder_to_plain,
)
from ae_multi.estimators.column_kinds import KINDS, LEFT_OUT
from ae_multi.estimators.preprocessing import TablePreprocessor

# The class of the encoder of each kind that has features.
_ENCODERS = {
    "number": NumberEncoder,
    "boolean": NumberEncoder,
    "category": CategoryEncoder,
    "date": DateEncoder,
    "clock": DateEncoder,
}


def to_plain(preprocessor: TablePreprocessor) -> dict[str, Any]:
    """Return the parameters and the fitted state of a preprocessor."""
    kinds, drop = preprocessor.kinds, preprocessor.drop
    parameters = {
        "max_categories": as_plain(preprocessor.max_categories),
        "kinds": None if kinds is None else {str(name): kind for name, kind in kinds.items()},
        "drop": None if drop is None else [str(name) for name in drop],
    }
    if not hasattr(preprocessor, "encoders_"):
        return {"parameters": parameters}
    fitted = {
        "columns": preprocessor.columns_,
        "encoders": {
            name: encoder_to_plain(encoder) for name, encoder in preprocessor.encoders_.items()
        },
        "named": hasattr(preprocessor, "feature_names_in_"),
    }
    return {"parameters": parameters, "fitted": fitted}


def from_plain(plain: Any) -> TablePreprocessor:
    """Return the preprocessor of the dict from `to_plain`.

    Raises:
        InputError: a dict that `to_plain` cannot return.
    """
    if not isinstance(plain, dict) or not {"parameters"} <= set(plain) <= {"parameters", "fitted"}:
        raise InputError(f"Expected the state of a preprocessor. Received: {plain!r:.80}.")
    preprocessor = TablePreprocessor(**plain["parameters"])
    preprocessor.check_parameters()
    if "fitted" not in plain:
        return preprocessor
    fitted = plain["fitted"]
    kinds, encoders = dict(fitted["columns"]), dict(fitted["encoders"])
    if not all(isinstance(kind, str) and kind in KINDS for kind in kinds.values()):
        raise InputError(f"Expected the kinds of columns. Received: {kinds!r:.80}.")
    encoded = [name for name, kind in kinds.items() if kind not in LEFT_OUT]
    # The column of a log's times may have no features.
    optional = [name for name in encoded if kinds[name] == "clock" and name not in encoders]
    if [*encoders] != [name for name in encoded if name not in optional] or not encoders:
        raise InputError(
            f"Expected an encoder for each of the columns {', '.join(encoded)!r:.80}. "
            f"Received: encoders for {', '.join(encoders)!r:.80}."
        )
    for name in encoders:
        encoders[name] = encoder_from_plain(encoders[name])
        fits = type(encoders[name]) is _ENCODERS[kinds[name]]
        if not fits or not encoders[name].features(name):
            raise InputError(
                f"Expected the encoder of a {kinds[name]}. Received: {encoders[name]!r:.80}."
            )
    if fitted["named"] is not True and [*kinds] != [f"x{place}" for place in range(len(kinds))]:
        raise InputError(f"Expected columns x0, x1 and so on. Received: {', '.join(kinds)!r:.80}.")
    preprocessor.set_state(kinds, encoders, fitted["named"] is True)
    return preprocessor
