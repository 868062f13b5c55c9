"""Script that reproduces a divergence in one layer with Keras alone."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ae_multi.io import npz
from ae_multi.io.atomic import atomic_write
from ae_multi.parity.divergence import Divergence

_SCRIPT = '''\
r"""{name} ({layer}) differs between Keras's backends. Requires only Keras and NumPy:

    {diverging} {script}
    {other} {script}
"""

import json
import pathlib

import keras
import numpy as np

data = np.load(pathlib.Path(__file__).with_suffix(".npz"), allow_pickle=False)
layer = keras.saving.deserialize_keras_object(json.loads(str(data["layer"])))
inputs = [keras.ops.convert_to_tensor(data[f"input{{i}}"]) for i in range({inputs})]
if data["has_list"]:
    inputs = [inputs]
names = {keywords}
call = {{name: keras.ops.convert_to_tensor(data[f"keyword_{{name}}"]) for name in names}}
if layer._call_has_training_arg:
    call["training"] = {training}
layer(*inputs, **call)  # creates the weights
layer.set_weights([data[f"weight{{i}}"] for i in range({weights})])
outputs = keras.tree.flatten(layer(*inputs, **call))
output = keras.ops.convert_to_numpy(outputs[data["output"]])
error = np.max(np.abs(output - data["exact"])) / {scale}
print(f"{{keras.config.backend()}}, Keras {{keras.__version__}}: {name} is off by {{error:.1e}} "
      "of the {measure}, against {reference}")
'''


def write_script(
    path: Path,
    divergence: Divergence,
    repro_data: os.PathLike[str] | str,
    exact: np.ndarray,
    commands: Mapping[str, str],
) -> None:
    """Write a script that runs the layer, and an .npz file with its inputs and weights next to it.

    Args:
        path: path of the script, ending in .py.
        divergence: a divergence of a layer's output.
        repro_data: path of the .npz file from `TraceLauncher.repro_data`.
        exact: output of the reference: the oracle, or the backend ``divergence.reference``.
        commands: dict of backend or environment to the command that runs a script in it.
    """
    with npz.opened(repro_data) as file:
        arrays = file.all()
    text = _SCRIPT.format(
        name=divergence.name,
        layer=divergence.layer,
        **script_fields(path, divergence, commands),
        inputs=sum(name.startswith("input") for name in arrays),
        keywords=[name[8:] for name in arrays if name.startswith("keyword_")],
        weights=sum(name.startswith("weight") for name in arrays),
        training=divergence.stage == "training forward",
    )
    save_script(path, text, exact=exact, **arrays)


def script_fields(
    path: Path, divergence: Divergence, commands: Mapping[str, str]
) -> dict[str, Any]:
    """Return the template fields that all scripts share: commands, scale and name of the error."""
    others = [backend for backend in divergence.error if backend not in divergence.diverging]
    other = commands[others[0]] if others else "KERAS_BACKEND=numpy python"
    relative = divergence.measure == "largest value"
    return {
        "script": path.name,
        "diverging": commands[divergence.diverging[0]],
        "other": other,
        "scale": 'np.max(np.abs(data["exact"]))' if relative else divergence.scale,
        "measure": divergence.measure or "largest value",
        "reference": divergence.reference or "float64",
    }


def save_script(path: Path, text: str, **arrays: Any) -> None:
    """Write a script, and the arrays that it reads from an .npz file next to it."""
    with atomic_write(path.with_suffix(".npz")) as temporary:
        np.savez(temporary, **arrays)
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
