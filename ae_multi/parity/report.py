"""What a check of one model found."""

from dataclasses import asdict, dataclass

from ae_multi.parity.stages import RUNGS


@dataclass(frozen=True)
class Report:
    """What a check found.

    Attributes:
        model: the build function, as another process finds it.
        rungs: list of `Rung`, in the order of the ladder.
        backends: dict of backend to versions, device and precision.
        oracle: which backend computed the float64 trace.
        not_comparable: random functions that the model asks and that cannot be made alike.
        left_out: dict of backends that took no part to the reason.
        curves: dict of stage ("epoch", "training") to a dict of run to its distance from float64
            at each step, relative to the loss; empty where no such training was asked for.
        unscripted: why a script that was asked for could not be written, or None.
    """

    model: str
    rungs: list
    backends: dict
    oracle: str
    not_comparable: list
    left_out: dict
    curves: dict
    unscripted: str | None = None

    @property
    def agree(self):
        """Whether every rung holds on every backend that trains."""
        return all(rung.holds for rung in self.rungs)

    @property
    def first_divergence(self):
        """The first `Divergence` on the ladder, or None."""
        return next((rung.divergences[0] for rung in self.rungs if rung.divergences), None)

    @property
    def remarks(self):
        """Dict of each backend that only runs forward and differs to its first `Divergence`.

        No model is trained on these, so that they do not decide whether the backends agree.
        """
        found = {}
        for entry in (entry for rung in self.rungs for entry in rung.remarks):
            for backend in entry.remarks:
                found.setdefault(backend, entry)
        return found

    def to_json(self):
        """The report as plain values."""
        first = self.first_divergence
        return {
            "model": self.model,
            "agree": self.agree,
            "first_divergence": None if first is None else asdict(first),
            "rungs": [
                {
                    "rung": rung.name,
                    "what": RUNGS[rung.name],
                    "compared": rung.compared,
                    "holds": rung.holds,
                    "largest": rung.largest,
                    "closest": asdict(rung.closest),
                    "divergences": [asdict(entry) for entry in rung.divergences],
                }
                for rung in self.rungs
            ],
            "backends": self.backends,
            "oracle": self.oracle,
            "not_comparable": self.not_comparable,
            "left_out": self.left_out,
            "remarks": {backend: asdict(entry) for backend, entry in self.remarks.items()},
            "curves": self.curves,
        }

    def __str__(self):
        lines = [f"{rung.name:>16}: {'holds' if rung.holds else 'PARTS'}" for rung in self.rungs]
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
