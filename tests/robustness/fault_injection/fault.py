"""Description of a fault."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        code: Python code to run in the child process.
        stage: first stage that must find it.
        name: first entry that must be reported, or the beginning of its name; empty for any.
        model: name of a model of the zoo, or empty for the model of `target_model`.
    """

    code: str
    stage: str
    name: str = ""
    model: str = ""
