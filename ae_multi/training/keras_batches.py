"""Batches of sources for Keras's own `fit`, `evaluate` and `predict`, which take no sources."""

from typing import Any

from ae_multi._keras import keras
from ae_multi.data.arrays import NotArraysError, as_data, length
from ae_multi.data.batches import BatchOrder, KerasBatches
from ae_multi.data.source import has_sources
from ae_multi.errors import InputError
from ae_multi.training.limits import batches_of


def batches_for_keras(data: tuple, batch_size: int | None, steps: int | None) -> KerasBatches:
    """Return batches of sources and arrays in the order of the samples, for Keras.

    Args:
        data: (x, y, sample_weight), nested arrays, sources and None.
        batch_size: samples per batch; None for 32, or with ``steps`` the size that divides all
            samples into that many batches.
        steps: number of batches that Keras takes at a time, or None for all.

    Raises:
        InputError: sources together with data that are not dense arrays of numbers.
    """
    check_combined(*data)
    data = as_data(*data)
    samples = length(data)
    batch_size, _ = batches_of(samples, batch_size, steps)
    return KerasBatches(data, BatchOrder(samples, batch_size, None))


def validation_for_keras(data: Any, batch_size: int | None, steps: int | None) -> Any:
    """Return ``validation_data`` for Keras's `fit`: `KerasBatches` in place of sources."""
    if data is None:
        return None
    unpacked = keras.utils.unpack_x_y_sample_weight(data)
    return batches_for_keras(unpacked, batch_size, steps) if has_sources(unpacked) else data


def check_combined(*data: Any) -> None:
    """Raise `InputError` if data hold sources together with other than dense arrays of numbers."""
    if not has_sources(data):
        return
    try:
        as_data(*data)
    except NotArraysError as error:
        raise InputError(
            "Expected an ae_multi.source together with sources and dense arrays of numbers only. "
            f"Received: {error.reason}."
        ) from error
