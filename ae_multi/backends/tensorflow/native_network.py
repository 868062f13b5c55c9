"""Reader of the variables of a SavedModel, without Keras."""

import re
from pathlib import Path

import numpy as np
import tensorflow as tf

from ae_multi.errors import InputError

_END = "/.ATTRIBUTES/VARIABLE_VALUE"
# Patterns of the names of variables in a SavedModel of Keras 3's `export`, and of tf.keras.
_NAMES = (r"variables/(\d+)", r"layer_with_weights-(\d+)/(.*)")


def read(path: Path) -> dict[str, np.ndarray]:
    """Read the variables of the SavedModel in the folder ``path``, in the order of the layers.

    Only its checkpoint is read. Its functions are neither built nor run.

    Returns:
        Dict of variable name to array.

    Raises:
        InputError: no SavedModel, or variables whose names do not define an order.
    """
    try:
        reader = tf.train.load_checkpoint(str(path / "variables" / "variables"))
        types = reader.get_variable_to_dtype_map()
        names = [name.removesuffix(_END) for name, kind in types.items() if kind.is_floating]
        for pattern in _NAMES:
            matched = [match for match in (re.fullmatch(pattern, name) for name in names) if match]
            if matched:
                matched.sort(key=lambda match: [int(n) for n in re.findall(r"\d+", match[0])])
                return {
                    match[0].replace("/", "."): reader.get_tensor(match[0] + _END)
                    for match in matched
                }
    except (tf.errors.OpError, ValueError, OSError, RuntimeError) as error:
        raise InputError(
            f"Expected the folder of a SavedModel. Received: {path} ({error})."
        ) from error
    raise InputError(
        f"Expected a SavedModel whose variables are numbered, as Keras's model.export writes it. "
        f"Received: {path} with the variables {', '.join(sorted(names)[:6]) or '(none)'}."
    )
