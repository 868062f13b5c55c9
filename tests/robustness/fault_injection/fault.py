"""What a fault is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        code: what is run in the child process.
        stage: the stage that has to find it first.
        name: the entry that has to be named first, or its beginning; empty for any.
        model: a name of the zoo, or empty for the model of `target_model`.
    """

    code: str
    stage: str
    name: str = ""
    model: str = ""
