"""Save, restore and compare the state of a model on JAX.

JAX arrays are immutable, so only the references to them are saved and compared.
"""

from collections.abc import Sequence

from ae_multi._keras import keras
from ae_multi.backends.changed_values import Values
from ae_multi.backends.reachable import Reachable
from ae_multi.backends.snapshot import Snapshot


def snapshot(reachable: Reachable, variables: bool = True) -> Snapshot:
    """Return a `Snapshot` of ``reachable``; ``variables``: whether it includes Keras variables."""
    return Snapshot(reachable, lambda value: None, lambda: lambda: None, variables)


def values(reachable: Reachable, known: Sequence[keras.Variable] = ()) -> Values:
    """Return the `Values` of ``reachable``, with the Keras variables that are not in ``known``.

    The variables in ``known`` are inputs of a program. The values of all others become constants
    when Keras's step is traced.
    """
    inputs = {id(variable) for variable in known}
    others = [variable for variable in reachable.variables if id(variable) not in inputs]
    return Values(reachable, lambda value: None, others)
