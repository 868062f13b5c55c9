"""Choice of the kind of each column of a table: how it is encoded, or why it is left out."""

from __future__ import annotations

import numpy as np

from ae_multi.data.columns import CellError, Column, as_text, convert, fraction_of_type

# Kinds that a column can be set to, and the type that its values are read as.
TYPES = {
    "number": "number",
    "boolean": "boolean",
    "category": "text",
    "date": "date",
    "clock": "date",
    "identifier": "text",
}
# Kinds that have no features.
LEFT_OUT = ("identifier", "constant", "dropped")
KINDS = (*TYPES, *LEFT_OUT[1:])

# From so many rows on, columns can be identifiers or clocks: shorter ones may be so by chance.
_MIN_ROWS = 20
# A column of text is an identifier if at least this fraction of its values is distinct.
_DISTINCT = 0.9
# An integer column without repetition is an identifier if it uses at least this fraction of its
# range: rows may have been removed from a table that numbers its rows.
_DENSE = 0.5
# If at least this fraction of a column of text is of another type, the others are faults.
_OF_ONE_TYPE = 0.95


def kind_of(column: Column, name: str, most_categories: int) -> str:
    """Return the kind of a column.

    - "constant": all values are equal, or all are missing.
    - "number", "boolean": also text that holds nothing else.
    - "date": also text in the form of ISO 8601.
    - "clock": dates that never decrease from row to row, as in a log. New rows lie beyond all
      training rows, so elapsed time would make each of them an anomaly.
    - "identifier": integers without repetition that number the rows, or text of which nearly all
      values are distinct.
    - "category": other text.

    Args:
        column: the column.
        name: its name, for the message.
        most_categories: number of categories up to which text that is almost always a number is
            taken for codes.

    Raises:
        CellError: one of a few values that are no numbers, or no dates, among many that are.
    """
    if _is_constant(column):
        return "constant"
    if column.is_category:
        return "category"
    kind = column.type if column.type != "text" else _type_of_text(column, name, most_categories)
    if kind == "number":
        return "identifier" if _numbers_rows(convert(column, kind, name)) else kind
    if kind == "date":
        return "clock" if _never_decreases(convert(column, kind, name)) else kind
    if kind == "text":
        present = column.values[~column.missing]
        is_distinct = len(set(present)) >= _DISTINCT * len(present)
        return "identifier" if len(present) >= _MIN_ROWS and is_distinct else "category"
    return kind


def _is_constant(column: Column) -> bool:
    missing = column.missing
    if missing.all():
        return True
    return not missing.any() and len(set(as_text(column)) if column.type == "text" else
                                     np.unique(column.values)) == 1  # fmt: skip


def _type_of_text(column: Column, name: str, most_categories: int) -> str:
    texts = column.values
    present = int(np.sum(~column.missing))
    for kind in ("boolean", "number", "date"):
        fraction, row = fraction_of_type(texts, kind)
        if row is None:
            return kind
        is_fault = fraction >= _OF_ONE_TYPE and present >= _MIN_ROWS and kind != "boolean"
        if is_fault and len(set(texts)) > most_categories:
            raise CellError(
                f"a {kind}, as in {fraction:.1%} of the rows (or the kind 'category'),",
                texts[row],
                name,
                row,
            )
    return "text"


def _numbers_rows(values: np.ndarray) -> bool:
    """Return whether values are integers without repetition, in order or without large gaps."""
    if len(values) < _MIN_ROWS or np.isnan(values).any() or (values % 1).any():
        return False
    steps = np.diff(values)
    if (steps > 0).all() or (steps < 0).all():
        return True
    is_dense = len(values) >= _DENSE * (values.max() - values.min() + 1)
    return bool(is_dense) and len(np.unique(values)) == len(values)


def _never_decreases(values: np.ndarray) -> bool:
    present = values[~np.isnat(values)]
    return len(present) >= _MIN_ROWS and bool((np.diff(present) >= np.timedelta64(0, "us")).all())
