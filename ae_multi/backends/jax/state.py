"""What a model holds on JAX: to restore, and to notice that it changed.

Arrays of JAX do not change: what refers to them is all that there is to restore or to compare.
"""

from ae_multi.backends.snapshot import Snapshot, Values


def snapshot(reachable, variables=True):
    """The `Snapshot` of a `Reachable`; ``variables`` says whether with Keras variables."""
    return Snapshot(reachable, lambda value: None, lambda: lambda: None, variables)


def values(reachable, known=()):
    """The `Values` of a `Reachable`, without the ``known`` variables.

    These are inputs of a program. Keras's trace, and so ours, reads others when it is made.
    """
    known = {id(variable) for variable in known}
    others = [variable for variable in reachable.variables if id(variable) not in known]
    return Values(reachable, lambda value: None, others)
