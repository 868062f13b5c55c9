"""Training data on the device, and programs that are built once for each model."""

import threading

from ae_multi._keras import keras
from ae_multi._keras_internals import loss_tracker

# One program is built at a time: PyTorch replaces functions of its own while it records a step.
BUILDING = threading.RLock()


class DeviceData:
    """The arrays of (x, y, sample_weight) on the device, each of them once.

    An autoencoder's target is its input: then one array serves as both, in memory and in the
    step, which takes a batch from it only once. Samples lie there as rows of numbers: XLA takes
    rows out of a matrix by copying them, and samples of more axes number by number.

    Args:
        data: (x, y, sample_weight), nested tuples, lists or dicts of arrays or None, of n samples
            each.
        put: function that takes an array to the device, as it is stored.
    """

    def __init__(self, data, put):
        unique = {}
        # A step receives its batch as Keras's `fit` packs it: x, (x,), (x, y) or (x, y, weights).
        data = keras.utils.pack_x_y_sample_weight(*data)

        def place(array):
            return None if array is None else unique.setdefault(id(array), (len(unique), array))[0]

        self.places = keras.tree.map_structure(place, data)
        self._shapes = [tuple(array.shape[1:]) for _, array in unique.values()]
        self.arrays = [put(as_rows(array)) for _, array in unique.values()]

    def assemble(self, parts):
        """A batch, in the structure that Keras packs, made of some rows of each array."""
        parts = [
            part if len(shape) < 2 else keras.ops.reshape(part, (-1, *shape))
            for part, shape in zip(parts, self._shapes, strict=True)
        ]
        return keras.tree.map_structure(
            lambda place: None if place is None else parts[place], self.places
        )

    @property
    def signature(self):
        """What a program depends on: structure, types and shapes of samples."""
        types = [str(array.dtype) for array in self.arrays]
        return repr((self.places, types, self._shapes))


def as_rows(array):
    """Samples of more than one axis as rows of numbers."""
    return array if array.ndim < 3 else array.reshape(len(array), -1)


def signature(x):
    """What a program for nested arrays depends on: structure, types and shapes."""
    return repr(keras.tree.map_structure(lambda array: (str(array.dtype), array.shape), x))


def flat(logs):
    """The logs of a step as Keras flattens them: what is in a dict within them, one by one."""
    found = {}
    for name, value in logs.items():
        found |= flat(value) if isinstance(value, dict) else {name: value}
    return found


class _Programs:
    """The programs of one model, and what they were built for."""

    def __init__(self, built_for):
        self.built_for = built_for
        self.made = {}


def cached(model, key, make):
    """The program of ``model`` under ``key``, made by ``make()`` unless it is there.

    Threads build one program after another. Programs are thrown away when the model is compiled
    again or its trainable weights change. They live in the model's `__dict__`, where Keras does
    not track them, and are deleted with it.
    """
    # `compile` makes a new loss tracker each time, so it stands for all that compiling settles.
    built_for = (loss_tracker(model), *model.trainable_variables)
    programs = vars(model).get("_ae_multi_programs")
    if programs is None or not _same(programs.built_for, built_for) or key not in programs.made:
        with BUILDING:
            return _built(model, key, make, built_for)
    return programs.made[key]


def known(model):
    """The keys of the programs that there are."""
    programs = vars(model).get("_ae_multi_programs")
    return set() if programs is None else set(programs.made)


def forget(model, keys):
    """Throw away the programs of ``model`` under ``keys``."""
    with BUILDING:
        for key in known(model) & set(keys):
            del vars(model)["_ae_multi_programs"].made[key]


def _built(model, key, make, built_for):
    programs = vars(model).get("_ae_multi_programs")
    if programs is None or not _same(programs.built_for, built_for):
        programs = vars(model)["_ae_multi_programs"] = _Programs(built_for)
    if key not in programs.made:
        programs.made[key] = make()
    return programs.made[key]


def _same(one, other):
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))
