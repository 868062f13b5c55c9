"""The variables of a SavedModel."""

import re

import tensorflow as tf

from ae_multi.errors import InputError

_END = "/.ATTRIBUTES/VARIABLE_VALUE"
# How Keras 3's `export` names a model's variables, and how tf.keras names layers and their own.
_NAMES = (r"variables/(\d+)", r"layer_with_weights-(\d+)/(.*)")


def read(path):
    """Dict of keys to arrays, in the order of the layers, of the SavedModel in a folder.

    Only the checkpoint in it is read, and no function of it is built or run.

    Raises:
        InputError: no SavedModel, or one whose variables do not tell their order.
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
        f"Received: {path} with {', '.join(sorted(names)[:6]) or 'none'}."
    )
