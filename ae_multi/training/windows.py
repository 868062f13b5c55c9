"""The batches of an epoch: of arrays on the device, or of windows that are read from sources."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np

from ae_multi._keras import keras
from ae_multi.argument_checks import check_positive
from ae_multi.backends.device_data import DeviceData, aligned_zeros
from ae_multi.data.arrays import (
    first_not_finite,
    flat_arrays,
    rows_not_finite,
    to_device,
    unique_arrays,
)
from ae_multi.data.batches import BatchOrder
from ae_multi.data.block_order import MIN_BLOCKS, BlockOrder
from ae_multi.data.source import is_source, read_rows
from ae_multi.errors import InputError

# Sets of arrays that windows take turns in.
_BUFFERS = 3
_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


class Batches(Protocol):
    """The batches of a training, as row numbers of the arrays on the device.

    Attributes:
        device_data: the `DeviceData` with the arrays; set by `begin`.
        most_steps: maximum number of batches that are on the device together.
        window: what `load` takes to put the rows of the current batches on the device again.
    """

    device_data: Any
    most_steps: int
    window: Any

    def begin(self, epoch: int) -> np.ndarray:
        """Put data on the device; return batches of ``epoch`` for timing, (batches, size)."""

    def epoch(self, epoch: int, done: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (number of the first batch, int32 (batches, size)) of ``epoch``, in order.

        Args:
            epoch: number of the epoch.
            done: number of batches that are not needed.
        """

    def load(self, window: Any) -> None:
        """Put the rows of ``window`` on the device."""

    def fault(self) -> str | None:
        """Describe the first sample with NaN or infinity, or return None."""

    def __enter__(self) -> Batches:
        """Return the batches."""

    def __exit__(self, *exception: Any) -> None:
        """Stop reading ahead."""


class ResidentBatches:
    """Batches of arrays that are on the device; see `Batches`.

    Args:
        order: the order of the batches.
        data: (x, y, sample_weight), the arrays.
    """

    window: Any = None

    def __init__(self, order: BatchOrder, data: tuple):
        self._order, self._data = order, data
        self.most_steps = order.samples // order.batch_size

    def begin(self, epoch: int) -> np.ndarray:
        """Put all data on the device; return the full batches, or a single smaller one."""
        self.device_data = to_device(self._data)
        full, rest = self._order.epoch(epoch)
        return full if len(full) else rest

    def epoch(self, epoch: int, done: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the full batches, then a smaller last batch."""
        begin = 0
        for batches in self._order.epoch(epoch):
            if batches.size:
                yield begin, batches
                begin += len(batches)

    def load(self, window: Any) -> None:
        """Do nothing: all rows are on the device."""

    def fault(self) -> str | None:
        """Describe the first sample with NaN or infinity, or return None."""
        return first_not_finite(self._data)

    def __enter__(self) -> ResidentBatches:
        """Return the batches."""
        return self

    def __exit__(self, *exception: Any) -> None:
        """Do nothing."""


class Window(NamedTuple):
    """The rows of successive batches of an epoch.

    Attributes:
        first: number of the first batch.
        rows: row numbers in the sources, in the order of the batches.
        data: (x, y, sample_weight), nested arrays of the same length for each window.
        device_data: the arrays on the device.
    """

    first: int
    rows: np.ndarray
    data: tuple
    device_data: DeviceData


class WindowedBatches:
    """Batches of sources; a thread reads each window while the previous one is used.

    All windows have arrays of the same shapes, so one program runs on all of them. They take turns
    in three sets of arrays: of the window that is read, the one in use and the one before it, which
    may be needed again after a NaN. See `Batches`.

    Args:
        order: the order of the batches.
        data: (x, y, sample_weight), nested sources or arrays of n samples each.
        steps: number of batches in a window.
        epochs: the epoch to train up to, so that no window after it is read.
    """

    window: Window
    device_data: DeviceData

    def __init__(self, order: BatchOrder, data: tuple, steps: int, epochs: int):
        self._order, self._data, self._epochs = order, data, epochs
        self._steps = self.most_steps = steps
        self._has_data = False
        length = steps * order.batch_size
        self._buffers = [
            {id(each): aligned_zeros((length, *each.shape[1:]), each.dtype) for each in arrays}
            for arrays in [list(unique_arrays(data))] * _BUFFERS
        ]
        self._turn = 0
        self._executor = ThreadPoolExecutor(1, "ae_multi reads ahead")
        self._ahead: tuple[tuple[int, int], Future] | None = None

    def begin(self, epoch: int) -> np.ndarray:
        """Put the first window on the device; return its batches."""
        window = self._read(epoch, 0)
        self.load(window)
        self._ahead = (epoch, 0), Future()
        self._ahead[1].set_result(window)
        batches = self._batches(window)
        return batches[0] if len(batches[0]) else batches[1]

    def epoch(self, epoch: int, done: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the full batches of each window, then a smaller last batch."""
        size = self._order.batch_size
        count = -(-self._order.size(epoch) // size)
        for first in range(done - done % self._steps, count, self._steps):
            window = self._read_or_wait(epoch, first)
            self.load(window)
            following = (epoch, first + self._steps)
            if following[1] >= count:
                following = (epoch + 1, 0)
            if following[0] < self._epochs:
                self._ahead = following, self._executor.submit(self._read, *following)
            for batches in self._batches(window):
                if batches.size:
                    yield first, batches
                    first += len(batches)

    def load(self, window: Window) -> None:
        """Put the rows of ``window`` on the device."""
        if self._has_data:
            self.device_data.replace(window.device_data)
        else:
            # A copy of the list, whose arrays are replaced.
            self.device_data, self._has_data = copy.copy(window.device_data), True
            self.device_data.arrays = list(window.device_data.arrays)
        self.window = window

    def fault(self) -> str | None:
        """Describe the first sample of the window with NaN or infinity, or return None."""
        pairs = zip(flat_arrays(self._data), flat_arrays(self.window.data), strict=True)
        for given, array in pairs:
            bad = rows_not_finite(array[: len(self.window.rows)])
            if len(bad):
                row = int(self.window.rows[bad].min())
                place = given.place(row) if is_source(given) else f"sample {row:,}"
                return f"NaN or infinity in {place}"
        return None

    def __enter__(self) -> WindowedBatches:
        """Return the batches."""
        return self

    def __exit__(self, *exception: Any) -> None:
        """Stop reading ahead."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _batches(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Return int32 places in the window, of its full batches and of a smaller last batch."""
        size = self._order.batch_size
        places = np.arange(len(window.rows), dtype=np.int32)
        full = len(places) // size * size
        return places[:full].reshape(-1, size), places[full:].reshape(1, -1)

    def _read_or_wait(self, epoch: int, first: int) -> Window:
        ahead, self._ahead = self._ahead, None
        if ahead is not None and ahead[0] == (epoch, first):
            return ahead[1].result()
        return self._read(epoch, first)

    def _read(self, epoch: int, first: int) -> Window:
        size = self._order.batch_size
        end = min((first + self._steps) * size, self._order.size(epoch))
        rows = self._order.rows(epoch, first * size, end)
        # On a CPU the device shares the memory of the arrays.
        read, self._turn = self._buffers[self._turn], (self._turn + 1) % _BUFFERS
        for each in unique_arrays(self._data):
            read_rows(each, rows, read[id(each)][: len(rows)])
        data = keras.tree.map_structure(
            lambda leaf: None if leaf is None else read[id(leaf)], self._data
        )
        return Window(first, rows, data, to_device(data))


def order_of(
    data: tuple, order: str | None, window: int | str, *args: Any, **kwargs: Any
) -> BatchOrder:
    """Return the order of the batches of a training.

    Args:
        data: (x, y, sample_weight), nested arrays and sources.
        order: "global", "blocks" or None, see `ae_multi.fit`.
        window: bytes of a window, which determine the size of blocks where storage does not.
        *args: arguments of `BatchOrder`.
        **kwargs: keyword arguments of `BatchOrder`.

    Raises:
        InputError: an unknown order, or blocks of arrays or within batches.
    """
    if order not in ("global", "blocks", None):
        raise InputError(f"Expected order to be 'global' or 'blocks'. Received: {order!r}.")
    sources = [leaf for leaf in unique_arrays(data) if is_source(leaf)]
    if order is None and not all(source.has_random_access for source in sources):
        order = "blocks"
    if order != "blocks":
        return BatchOrder(*args, **kwargs)
    if not sources or kwargs.get("within_batches"):
        raise InputError(
            "Expected order='blocks' with an ae_multi.source and shuffle=True or False. "
            f"Received: {'shuffle=batch' if sources else 'arrays'}."
        )
    rows = rows_per_window(window, data)
    sizes = [source.block_size for source in sources if source.block_size is not None]
    size = max(sizes, default=max(1, rows // MIN_BLOCKS))
    blocks = max(MIN_BLOCKS, rows // size)
    return BlockOrder(*args, block_size=size, blocks=blocks, **kwargs)


def batches_in(order: BatchOrder, data: tuple, window: int | str | None, epochs: int) -> Any:
    """Return the `Batches` of a training, to be used as a context.

    Args:
        order: the order of the batches.
        data: (x, y, sample_weight), nested arrays and sources.
        window: bytes of a window, or None to keep all data on the device.
        epochs: the epoch to train up to.
    """
    if window is None:
        return ResidentBatches(order, data)
    steps = max(1, rows_per_window(window, data) // order.batch_size)
    return WindowedBatches(order, data, min(steps, order.steps), epochs)


def rows_per_window(window: int | str, data: Any) -> int:
    """Return the number of samples in ``window`` bytes, at least 1."""
    size = sum(array[:1].nbytes for array in unique_arrays(data))
    return max(1, parse_bytes(window) // size)


def parse_bytes(window: int | str) -> int:
    """Return the number of bytes that text such as "64 MiB" means.

    Raises:
        InputError: another form, or less than 1 byte.
    """
    if isinstance(window, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?) ?(B|KiB|MiB|GiB)", window.strip())
        if match is None:
            raise InputError(
                "Expected window to be a number of bytes or text such as '64 MiB'. "
                f"Received: {window!r}."
            )
        window = int(float(match[1]) * _UNITS[match[2]])
    check_positive(window=window)
    return window
