"""Order of samples for storage that reads adjacent rows faster than single ones."""

from typing import Any

import numpy as np

from ae_multi.data.batches import BatchOrder
from ae_multi.randomness.streams import stream

# Fewer blocks are never shuffled together: neighbours in the file would often be in one batch.
MIN_BLOCKS = 256


class BlockOrder(BatchOrder):
    """Order of batches in which blocks of adjacent rows are read together.

    The blocks are in random order. Groups of ``blocks`` successive blocks are then shuffled row by
    row. Both are pure functions of (seed, epoch), and only one group is in memory.

    Args:
        *args: arguments of `BatchOrder`.
        block_size: rows in a block; the last block may be smaller.
        blocks: number of blocks that are shuffled together.
        **kwargs: keyword arguments of `BatchOrder`.
    """

    def __init__(self, *args: Any, block_size: int, blocks: int, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.block_size, self.blocks = block_size, blocks
        self.facts = {"kind": "blocks", "block_size": block_size, "blocks": blocks}
        self._pass: tuple[int, np.ndarray, np.ndarray] | None = None
        self._group: tuple[tuple[int, int], np.ndarray] | None = None

    def _rows_of_pass(self, number: int, begin: int, end: int) -> np.ndarray:
        if self.seed is None:
            return np.arange(begin, end, dtype=np.int64)
        _, begins = self._blocks_of_pass(number)
        first, last = np.searchsorted(begins, [begin, max(end - 1, begin)], "right") - 1
        parts = [self._rows_of_group(number, group) for group in range(first, last + 1)]
        rows = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return rows[begin - begins[first] : end - begins[first]]

    def _blocks_of_pass(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the order of the blocks and the first position of each group of blocks."""
        if self._pass is None or self._pass[0] != number:
            count = -(-self.samples // self.block_size)
            assert self.seed is not None
            bits = stream(self.seed, "order of blocks", number).random_raw(count)
            order = np.argsort(bits, kind="stable")
            sizes = np.full(count, self.block_size)
            sizes[order == count - 1] = self.samples - (count - 1) * self.block_size
            groups = np.add.reduceat(sizes, np.arange(0, count, self.blocks))
            self._pass = number, order, np.cumsum([0, *groups])
        return self._pass[1:]

    def _rows_of_group(self, number: int, group: int) -> np.ndarray:
        if self._group is None or self._group[0] != (number, group):
            order, _ = self._blocks_of_pass(number)
            chosen = order[group * self.blocks : (group + 1) * self.blocks, np.newaxis]
            rows = (chosen * self.block_size + np.arange(self.block_size)).ravel()
            rows = rows[rows < self.samples]
            assert self.seed is not None
            bits = stream(self.seed, f"rows of blocks {group}", number).random_raw(len(rows))
            self._group = (number, group), rows[np.argsort(bits, kind="stable")]
        return self._group[1]
