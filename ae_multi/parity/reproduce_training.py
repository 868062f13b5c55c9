"""Script that reproduces a divergence in training with Keras alone."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ae_multi.io import npz
from ae_multi.parity.divergence import Divergence
from ae_multi.parity.reproduce import save_script, script_fields

_SCRIPT = '''\
r"""{stage}: {name} differs between Keras's backends. Requires {needs}:

    {diverging} {script}
    {other} {script}
"""

{imports}
import keras
import numpy as np

data = np.load(pathlib.Path(__file__).with_suffix(".npz"), allow_pickle=False)


def batch(step):
    """Return the inputs and targets of one step, counted from 0."""
    x, y = ([data[f"{{kind}}{{step}}_{{i}}"] for i in range(n)] for kind, n in {parts})
    return (x[0] if len(x) == 1 else x), (y[0] if len(y) == 1 else y)


def numpy(tensor, like):
    return np.zeros(like.shape) if tensor is None else keras.ops.convert_to_numpy(tensor)


{build}
model.run_eagerly, model.jit_compile = True, False  # no compiled programs; `record` needs values
model(batch(0)[0])  # creates the weights
model.set_weights([data[f"weight{{i}}"] for i in range({weights})])

recorded, apply = [], model.optimizer.apply


def record(gradients, variables=None):
    recorded[:] = map(numpy, gradients, model.trainable_variables)
    return apply(gradients, variables)


model.optimizer.apply = record
for step in range({steps}):
    model.reset_metrics()
    loss = model.train_on_batch(*batch(step), return_dict=True)["loss"]
value = {value}
difference = np.abs(np.asarray(value, np.float64) - data["exact"])
error = np.max(difference) / {scale}
print(f"{{keras.config.backend()}}, Keras {{keras.__version__}}: {name} is off by {{error:.1e}} "
      "of the {measure}, against {reference}")
'''

_FROM_CONFIGURATION = """\
model = keras.saving.deserialize_keras_object(json.loads(str(data["model"])))
if not model.compiled:
    model.compile("adam", "mse")"""

_FROM_FILE = """\
spec = importlib.util.spec_from_file_location("built", {place!r})
sys.modules["built"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
model = module.{function}()
if not model.compiled:
    model.compile("adam", "mse")"""

_FROM_MODULE = """\
sys.path.insert(0, {folder!r})
model = importlib.import_module({place!r}).{function}()
if not model.compiled:
    model.compile("adam", "mse")"""


def write_training_script(
    path: Path,
    divergence: Divergence,
    repro_data: os.PathLike[str] | str,
    exact: np.ndarray,
    commands: Mapping[str, str],
) -> str | None:
    """Write a script that trains the model, and an .npz file with weights and batches next to it.

    Args:
        path: path of the script, ending in .py.
        divergence: a divergence of the stage "gradient", "one step" or "losses".
        repro_data: path of the .npz file from `ae_multi.parity.repro_data.save_training_data`.
        exact: gradient, weight or loss of the reference: the oracle, or the backend
            ``divergence.reference``.
        commands: dict of backend or environment to the command that runs a script in it.

    Returns:
        Why no script was written, or None if one was.
    """
    with npz.opened(repro_data) as file:
        arrays = file.all()
    if "reason" in arrays:
        return str(arrays["reason"])
    folder, reference = map(str, arrays.pop("build"))
    has_config = bool(str(arrays["model"]))
    place, _, function = reference.rpartition(":")
    if has_config:
        needs, build = "only Keras and NumPy", _FROM_CONFIGURATION
    else:
        needs = f"Keras, NumPy and {reference}, since the model contains custom code"
        build = (_FROM_FILE if place.endswith(".py") else _FROM_MODULE).format(
            place=os.path.join(folder, place) if place.endswith(".py") else place,
            folder=folder,
            function=function,
        )
    text = _SCRIPT.format(
        stage=divergence.stage,
        name=divergence.name,
        needs=needs,
        **script_fields(path, divergence, commands),
        imports="\n".join(
            ["import json"] if has_config else ["import importlib.util", "import sys"]
        )
        + "\nimport pathlib\n",
        parts=[(kind, sum(name.startswith(f"{kind}0_") for name in arrays)) for kind in "xy"],
        build=build,
        weights=sum(name.startswith("weight") for name in arrays),
        steps=sum(name.startswith("x") and name.endswith("_0") for name in arrays),
        value=_value(divergence),
    )
    save_script(path, text, exact=exact, **arrays)
    return None


def _value(divergence: Divergence) -> str:
    """Return the Python expression of the value that is compared after the script's steps."""
    if divergence.stage == "one step":
        return f"keras.ops.convert_to_numpy(model.weights[{divergence.place}])"
    if divergence.stage == "losses" or divergence.place == 0:  # the first gradient entry is a loss
        return "loss"
    return f"recorded[{divergence.place - 1}]"
