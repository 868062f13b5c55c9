"""Whether a file gives what the model gives, and how far it is off."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from ae_multi.errors import ExportError

# Relative to an output's largest value: far more than another order of sums makes of float32.
BOUND = 1e-5


@dataclass(frozen=True)
class Export:
    """What was exported.

    Attributes:
        path: the file, or the folder.
        format: the format's name.
        part: "model", "encoder" or "decoder".
        outputs: dict of the outputs' names to what the file made of the samples, arrays.
        difference: the largest difference between the file's outputs and the model's, by its own
            runtime, relative to the largest value of the output.
        bound: what it had to be below.
        samples: how many samples that was seen on, once in one batch and once by itself the first.
        size: bytes on disk, of all its files.
        versions: dict of names to versions, of what made and ran it.
    """

    path: Path
    format: str
    part: str
    outputs: dict
    difference: float
    bound: float
    samples: int
    size: int
    versions: dict

    def to_json(self):
        """All of it but the path and the arrays, as plain values."""
        names = [field.name for field in fields(self) if field.name not in ("path", "outputs")]
        return {**{name: getattr(self, name) for name in names}, "outputs": sorted(self.outputs)}


def difference(graph, expected, found):
    """The largest relative difference between two lists of outputs.

    Raises:
        ExportError: outputs of other names or shapes, labels that differ where rounding does not
            decide, or numbers farther apart than `BOUND`.
    """
    worst = 0.0
    for ours, theirs in zip(expected, found, strict=True):
        if sorted(ours) != sorted(theirs):
            raise _error(f"outputs {', '.join(sorted(ours))}", ", ".join(sorted(theirs)))
        decided, sizes = graph.decided(ours, BOUND), graph.sizes(ours)
        for name, array in ours.items():
            other = theirs[name]
            if other.shape != array.shape:
                raise _error(f"{name} of shape {array.shape}", f"shape {other.shape}")
            if array.dtype.kind in "iub":
                wrong = (other != array) & decided.get(name, True)
                if wrong.any():
                    raise _error(f"{name} as the model gives it", f"{wrong.sum()} others")
                continue
            largest = float(np.max(np.abs(array))) or 1.0
            off = float(np.max(np.abs(array - other))) / largest
            # Written so that NaN is too far, too.
            if not off <= BOUND * max(sizes.get(name, largest) / largest, 1):
                raise _error(
                    f"{name} within {BOUND:g} of the model's, relative to the largest value",
                    f"a difference of {off:.1e} ({len(array)} samples)",
                )
            worst = max(worst, off)
    return worst


def _error(expected, received):
    return ExportError(
        f"Expected the exported file to give {expected}. Received: {received}; no file was left."
    )
