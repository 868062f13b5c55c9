"""What a check of one model found."""

from dataclasses import dataclass

from ae_multi.parity.stages import STAGES


@dataclass(frozen=True)
class Report:
    """What a check found.

    Attributes:
        model: the build function, as another process finds it.
        stages: list of `Stage`, in their order.
        backends: dict of backend to versions, device and precision.
        oracle: which backend computed the float64 trace.
        not_comparable: random functions that the model asks and that cannot be made alike.
        left_out: dict of backends that took no part to the reason.
        curves: dict of stage ("epoch", "training") to a dict of run to its distance from float64
            at each step, relative to the loss; empty where no such training was asked for.
        unscripted: why a script that was asked for could not be written, or None.
    """

    model: str
    stages: list
    backends: dict
    oracle: str
    not_comparable: list
    left_out: dict
    curves: dict
    unscripted: str | None = None

    @property
    def agree(self):
        """Whether every stage holds on every backend that trains."""
        return all(stage.holds for stage in self.stages)

    @property
    def first_divergence(self):
        """The first `Divergence`, or None."""
        return next((stage.divergences[0] for stage in self.stages if stage.divergences), None)

    @property
    def remarks(self):
        """Dict of each backend that only runs forward and differs to its first `Divergence`.

        No model is trained on these, so that they do not decide whether the backends agree.
        """
        found = {}
        for entry in (entry for stage in self.stages for entry in stage.remarks):
            for backend in entry.remarks:
                found.setdefault(backend, entry)
        return found

    def to_json(self):
        """The report as plain values."""
        first = self.first_divergence
        return {
            "model": self.model,
            "agree": self.agree,
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
        }

    def __str__(self):
        lines = [
            f"{stage.name:>16}: {'agrees' if stage.holds else 'DIFFERS'}" for stage in self.stages
        ]
        first = self.first_divergence
        lines += [] if first is None else [f"first in {first}"]
        return "\n".join([*lines, *self.remark_lines()])

    def remark_lines(self):
        """A sentence for each backend that only runs forward and differs."""
        return [
            f"Remark, not part of the verdict, since {backend} only runs models forward: "
            f"{entry.describe((backend,))}"
            for backend, entry in self.remarks.items()
        ]
