"""Inputs and targets of a check, written by the parent process and read by each child process."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ae_multi.argument_checks import check_shape
from ae_multi.data.checks import check_array
from ae_multi.data.load import NAMES, load_data
from ae_multi.errors import InputError
from ae_multi.io import npz
from ae_multi.randomness.streams import uniform

_NUM_DRAWN_SAMPLES = 256
_MAX_TEST_SAMPLES = 10_000


@dataclass(frozen=True)
class Samples:
    """Inputs and targets, with the same number of samples in each array.

    Attributes:
        xs: training inputs, one array for each input of the model.
        ys: training targets, one array for each output; empty if none were given.
        tests: test inputs: the test images of a named data set, otherwise the first 10,000
            training inputs.
        test_ys: test targets; empty if ``ys`` is empty.
        about: JSON-serialisable description of the data.
    """

    xs: list[np.ndarray]
    ys: list[np.ndarray]
    tests: list[np.ndarray]
    test_ys: list[np.ndarray]
    about: dict[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 of the training inputs and targets, converted to float32."""
        digest = hashlib.sha256()
        for array in [*self.xs, *self.ys]:
            digest.update(np.ascontiguousarray(array, "<f4").data)
        return digest.hexdigest()


def hand_over(
    x: Any,
    y: Any,
    shape: Sequence[Any] | None,
    seed: int,
    path: os.PathLike[str] | str,
    data_path: str | None = None,
) -> dict[str, Any]:
    """Write inputs and targets for the child processes and return the argument of `receive`.

    Floating-point arrays are written as float32. A named data set is not written: each child
    process loads it.

    Args:
        x: an array, a list of arrays, or the name of a data set as in
            `ae_multi.data.load.load_data`, whose test images are the test samples; None with
            ``shape``.
        y: targets: an array, a list of arrays, or None.
        shape: instead of ``x``: the shape of one sample, or a list of shapes. 256 samples of
            uniform numbers on [0, 1) are drawn.
        seed: integer, seed of the drawn samples.
        path: the .npz file to write.
        data_path: path of the files of a named data set, or None.

    Raises:
        InputError: both or neither of ``x`` and ``shape`` are given, an array has values that are
            not finite numbers, the numbers of samples differ, the data set is unknown, or a data
            set has targets.
    """
    if (x is None) == (shape is None):
        raise InputError(
            "Expected either data or the shape of one sample. Received: both or neither."
        )
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
            uniform(seed, f"data/{place}", (_NUM_DRAWN_SAMPLES, *check_shape(sizes, "shape")))
            for place, sizes in enumerate(shapes)
        ]
    else:
        xs = _as_list(x)
    ys = [] if y is None else _as_list(y)
    _check([*xs, *ys])
    # The float64 reference is computed from the same float32 numbers as all other traces.
    xs, ys = (
        [a.astype(np.float32, copy=False) if a.dtype.kind == "f" else a for a in arrays]
        for arrays in (xs, ys)
    )
    named = {f"x{i}": a for i, a in enumerate(xs)} | {f"y{i}": a for i, a in enumerate(ys)}
    np.savez(path, **named)  # type: ignore[arg-type]
    return {"file": str(path)}


def receive(place: Mapping[str, Any], floatx: str) -> Samples:
    """Return the `Samples` that `hand_over` wrote, or those of a named data set.

    Args:
        place: the result of `hand_over`.
        floatx: dtype of the floating-point arrays.

    Raises:
        InputError: the file does not contain arrays of samples, or the data set cannot be loaded.
    """
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
    tests, test_ys = ([array[:_MAX_TEST_SAMPLES] for array in arrays] for arrays in (xs, ys))
    return Samples(xs, ys, tests, test_ys, {"name": "arrays", "source": ""})


def _check(arrays: Sequence[np.ndarray]) -> None:
    """Raise `InputError` unless the arrays are finite and have the same number of samples."""
    for place, array in enumerate(arrays):
        check_array(array, f"data {place}")
    counts = {len(array) for array in arrays}
    if len(counts) > 1:
        raise InputError(
            "Expected the same number of samples in all inputs and targets. "
            f"Received: {sorted(counts)}."
        )


def _as_list(arrays: Any) -> list[np.ndarray]:
    return [np.asarray(array) for array in (arrays if isinstance(arrays, list) else [arrays])]
