"""Comparison of the outputs of an exported file with the outputs of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ae_multi.errors import ExportError

if TYPE_CHECKING:
    from ae_multi.exporting.graph import Graph

# Largest difference relative to the largest value of an output. Another order of float32 sums
# causes far smaller differences.
BOUND = 1e-5


@dataclass(frozen=True)
class Export:
    """Result of an export.

    Attributes:
        path: path of the file or folder.
        format: name of the format.
        part: "model", "encoder" or "decoder".
        outputs: dict of output names to the outputs of the file for the samples.
        difference: largest difference between the outputs of the file, computed by its own
            runtime, and those of the model, relative to the largest value of the output.
        bound: bound of ``difference``.
        samples: number of samples compared, all in one batch and the first one alone.
        size: size of all its files in bytes.
        versions: dict of the names and versions of the software that wrote and ran the file.
    """

    path: Path
    format: str
    part: str
    outputs: dict[str, np.ndarray]
    difference: float
    bound: float
    samples: int
    size: int
    versions: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return all attributes as JSON values, without the path and the arrays."""
        names = [field.name for field in fields(self) if field.name not in ("path", "outputs")]
        return {**{name: getattr(self, name) for name in names}, "outputs": sorted(self.outputs)}


def difference(
    graph: Graph,
    expected: Sequence[Mapping[str, np.ndarray]],
    found: Sequence[Mapping[str, np.ndarray]],
) -> float:
    """Return the largest relative difference between the outputs of the model and of a file.

    Args:
        graph: the exported graph.
        expected: outputs of the model, one dict of arrays per batch.
        found: outputs of the file, one dict of arrays per batch.

    Raises:
        ExportError: names or shapes differ, integers differ where rounding cannot change them, or
            numbers differ by more than `BOUND`.
    """
    worst = 0.0
    for reference, result in zip(expected, found, strict=True):
        if sorted(reference) != sorted(result):
            raise _error(f"outputs {', '.join(sorted(reference))}", ", ".join(sorted(result)))
        decided, sizes = graph.decided(reference, BOUND), graph.sizes(reference)
        for name, array in reference.items():
            other = result[name]
            if other.shape != array.shape:
                raise _error(f"{name} of shape {array.shape}", f"shape {other.shape}")
            if array.dtype.kind in "iub":
                wrong = (other != array) & decided.get(name, True)
                if wrong.any():
                    raise _error(
                        f"the same {name} as the model", f"{wrong.sum()} values that differ"
                    )
                continue
            largest = float(np.max(np.abs(array))) or 1.0
            relative = float(np.max(np.abs(array - other))) / largest
            # `not <=` also rejects NaN.
            if not relative <= BOUND * max(sizes.get(name, largest) / largest, 1):
                raise _error(
                    f"{name} within {BOUND:g} of the model's, relative to the largest value",
                    f"a difference of {relative:.1e} ({len(array)} samples)",
                )
            worst = max(worst, relative)
    return worst


def _error(expected: str, received: str) -> ExportError:
    return ExportError(
        f"Expected the exported file to return {expected}. Received: {received}; no file was left."
    )
