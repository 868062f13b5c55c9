"""Report of a check of one model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ae_multi.parity.conclusion import Conclusion, conclude
from ae_multi.parity.divergence import Divergence, Stage
from ae_multi.parity.sampling import MAX_UNSAMPLED_SIZE, POSITIONS
from ae_multi.parity.stages import STAGES


@dataclass(frozen=True)
class Report:
    """Result of a check.

    Attributes:
        model: reference to the model, "module:function", "file.py:function" or "file.keras".
        stages: results of the stages, in order.
        backends: dict of backend, environment or trace file to versions, device and precision.
        oracle: backend, environment or trace file of the float64 reference.
        not_comparable: names of the functions of `keras.random` that the model calls and whose
            numbers differ between backends.
        left_out: dict of backend that did not take part to the reason.
        curves: dict of stage ("epoch", "training") to a dict of run to its distance from float64
            at each step, relative to the loss; empty without an epoch or a training.
        unscripted: why the requested script could not be written, or None.
        sampled: number of arrays that were compared at a sample of their positions.
    """

    model: str
    stages: list[Stage]
    backends: Mapping[str, Mapping[str, Any]]
    oracle: str
    not_comparable: list[str]
    left_out: Mapping[str, str]
    curves: Mapping[str, Mapping[str, list[float]]]
    unscripted: str | None = None
    sampled: int = 0

    @property
    def agree(self) -> bool:
        """Whether every backend that can train is within its bounds in every stage."""
        return all(stage.holds for stage in self.stages)

    @property
    def first_divergence(self) -> Divergence | None:
        """The first divergence, or None if the backends agree."""
        return next((stage.divergences[0] for stage in self.stages if stage.divergences), None)

    @property
    def conclusion(self) -> Conclusion:
        """Whether the backends agree, where they differ first, and what to do."""
        return conclude(self)

    @property
    def remarks(self) -> dict[str, Divergence]:
        """Dict of forward-only backend that differs to its first divergence.

        These backends cannot train a model, so they do not decide whether the backends agree.
        """
        result: dict[str, Divergence] = {}
        for entry in (entry for stage in self.stages for entry in stage.remarks):
            for backend in entry.remarks:
                result.setdefault(backend, entry)
        return result

    def to_json(self) -> dict[str, Any]:
        """Return the report as a JSON-serialisable dict."""
        first = self.first_divergence
        return {
            "model": self.model,
            "agree": self.agree,
            "conclusion": self.conclusion.to_json(),
            "first_divergence": None if first is None else first.to_json(),
            "rungs": [
                {
                    "rung": stage.name,
                    "what": STAGES[stage.name],
                    "compared": stage.compared,
                    "holds": stage.holds,
                    "largest": stage.largest,
                    "closest": stage.closest.to_json(),
                    "divergences": [entry.to_json() for entry in stage.divergences],
                }
                for stage in self.stages
            ],
            "backends": self.backends,
            "oracle": self.oracle,
            "not_comparable": self.not_comparable,
            "left_out": self.left_out,
            "remarks": {backend: entry.to_json() for backend, entry in self.remarks.items()},
            "curves": self.curves,
            "sampled": self.sampled,
        }

    def __str__(self) -> str:
        lines = [
            f"{stage.name:>16}: {'agrees' if stage.holds else 'DIFFERS'}" for stage in self.stages
        ]
        first = self.first_divergence
        lines += [] if first is None else [f"first in {first}"]
        return "\n".join([*lines, *self.sample_lines(), *self.remark_lines()])

    def sample_lines(self) -> list[str]:
        """Return a sentence about the arrays of which samples were compared, if there are any."""
        if not self.sampled:
            return []
        return [
            f"{self.sampled} arrays of more than {MAX_UNSAMPLED_SIZE:,} values were compared "
            f"at up to {POSITIONS:,} positions, and by their largest value and their mean."
        ]

    def omission_lines(self) -> list[str]:
        """Return a sentence for each random function and each backend that is not compared."""
        return [
            *(
                f"Not comparable: the numbers of keras.random.{name}, which the model calls."
                for name in self.not_comparable
            ),
            *(f"Left out: {backend}, {reason}." for backend, reason in self.left_out.items()),
        ]

    def remark_lines(self) -> list[str]:
        """Return a sentence for each forward-only backend that differs."""
        return [
            f"Remark, not part of the verdict, since {backend} only runs models forward: "
            f"{entry.describe((backend,))}"
            for backend, entry in self.remarks.items()
        ]
