"""What a model under comparison is fed: written by the parent, read by each child."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ae_multi.data.checks import check_array
from ae_multi.data.load import NAMES, load_data
from ae_multi.errors import InputError
from ae_multi.io import npz
from ae_multi.randomness.streams import uniform
from ae_multi.validation import check_shape

_DRAWN = 256
_TESTED = 10_000


@dataclass(frozen=True)
class Samples:
    """Arrays with as many samples each.

    Attributes:
        xs: list of inputs to train on, one array for each input of the model.
        ys: list of targets; empty where the model's own outputs say what they may be.
        tests: list of inputs to test on.
        test_ys: list of targets to test against; empty as ``ys`` is.
        about: what the data are, as plain values.
    """

    xs: list
    ys: list
    tests: list
    test_ys: list
    about: dict

    @property
    def digest(self):
        """SHA-256 over the values, in float32."""
        found = hashlib.sha256()
        for array in [*self.xs, *self.ys]:
            found.update(np.ascontiguousarray(array, "<f4").data)
        return found.hexdigest()


def hand_over(x, y, shape, seed, path, data_path=None):
    """Write inputs and targets for the child processes; return what tells a child where they are.

    Args:
        x: an array, a list of arrays, or the name of a data set as `load_data` takes it, whose
            test images then are tested on; None with ``shape``.
        y: targets likewise, or None.
        shape: in place of ``x``: the shape of one sample, or a list of shapes.
        seed: integer that the samples of a shape are drawn from.
        path: the .npz file to write.
        data_path: where a named data set lies, or None.

    Raises:
        InputError: both or none of ``x`` and ``shape``, arrays that are not finite numbers or do
            not have as many samples, or a data set of another name.
    """
    if (x is None) == (shape is None):
        raise InputError("Expected either data or the shape of one sample. Received: both or none.")
    if isinstance(x, str):
        if x not in NAMES or y is not None:
            raise InputError(
                f"Expected arrays, or one of {', '.join(NAMES)} without targets. Received: {x!r}"
                + (" with targets." if y is not None else ".")
            )
        return {"name": x, "path": data_path}
    if x is None:
        shapes = shape if isinstance(shape, list) else [shape]
        xs = [
            uniform(seed, f"data/{place}", (_DRAWN, *check_shape(sizes, "shape")))
            for place, sizes in enumerate(shapes)
        ]
    else:
        xs = _as_list(x)
    ys = [] if y is None else _as_list(y)
    _check([*xs, *ys])
    named = {f"x{i}": a for i, a in enumerate(xs)} | {f"y{i}": a for i, a in enumerate(ys)}
    np.savez(path, **named)
    return {"file": str(path)}


def receive(place, floatx):
    """The `Samples` that `hand_over` told of, numbers with a fraction as ``floatx``."""
    if "file" not in place:
        data = load_data(place["name"], place["path"])
        about = {"name": data.name, "source": data.source}
        return Samples(
            [data.x_train.astype(floatx, copy=False)],
            [],
            [data.x_test.astype(floatx, copy=False)],
            [],
            about,
        )
    with npz.opened(Path(place["file"])) as arrays:
        parts = [
            [arrays.read(f"{kind}{i}") for i in range(sum(n[0:1] == kind for n in arrays.names))]
            for kind in "xy"
        ]
    if not parts[0] or any(not array.ndim for arrays in parts for array in arrays):
        raise InputError(f"Expected arrays of samples. Received: {place['file']} without them.")
    xs, ys = (
        [a.astype(floatx, copy=False) if a.dtype.kind == "f" else a for a in arrays]
        for arrays in parts
    )
    tests, test_ys = ([array[:_TESTED] for array in arrays] for arrays in (xs, ys))
    return Samples(xs, ys, tests, test_ys, {"name": "arrays", "source": ""})


def _check(arrays):
    """Raise `InputError` unless ``arrays`` are finite numbers and have as many samples each."""
    for place, array in enumerate(arrays):
        check_array(array, f"data {place}")
    counts = {len(array) for array in arrays}
    if len(counts) > 1:
        raise InputError(
            f"Expected inputs and targets of as many samples each. Received: {sorted(counts)}."
        )


def _as_list(arrays):
    return [np.asarray(array) for array in (arrays if isinstance(arrays, list) else [arrays])]
