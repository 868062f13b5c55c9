"""Loading of models and weights from files, in the precision of this process."""

import io
import json
import os
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

from ae_multi._keras import keras
from ae_multi.errors import InputError, in_a_line
from ae_multi.io import hdf5, zip_archive
from ae_multi.io import json as safe_json
from ae_multi.models.compile_config import use_public_optimizers
from ae_multi.models.loading import check_model, read_model

_CONFIGURATION, _WEIGHTS = "config.json", "model.weights.h5"


def load_model_file(path: os.PathLike[str] | str) -> keras.Model:
    """Load the model of a ``.keras`` file on any backend. No code in the file is executed.

    Settings of the backend that wrote the file are removed. In a process that computes in float64,
    float32 layers become float64 layers, so that the float64 reference does not round to float32.

    Raises:
        InputError: as `ae_multi.models.loading.read_model`.
    """
    check_model(path)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "model.keras"
        with (
            zip_archive.opened(path, "the .keras file") as archive,
            zipfile.ZipFile(copy, "w") as file,
        ):
            for name in archive.names:
                content = archive.read(name)
                if name == _CONFIGURATION:
                    config = safe_json.parse(content, f"{_CONFIGURATION} in {path}")
                    content = json.dumps(_portable(config)).encode()
                file.writestr(name, content)
        try:
            return read_model(copy)
        except InputError as error:
            raise InputError(str(error).replace(str(copy), str(path))) from error


def _portable(config: Any) -> Any:
    """Return a model's configuration in this process's dtype, without settings of a backend."""
    if keras.config.floatx() == "float64":
        config = as_float64(config)
    compiled = config.get("compile_config")
    if isinstance(compiled, dict):
        # The file contains the value of "auto" on the backend that wrote it.
        compiled["jit_compile"] = "auto"
        use_public_optimizers(compiled)
    return config


def as_float64(config: Any) -> Any:
    """Return a model's configuration with float64 in place of the dtype float32."""
    if isinstance(config, list):
        return [as_float64(item) for item in config]
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "DTypePolicy" and config.get("config") == {"name": "float32"}:
        return {**config, "config": {"name": "float64"}}
    return {
        name: "float64" if name == "dtype" and value == "float32" else as_float64(value)
        for name, value in config.items()
    }


def load_weights(model: keras.Model, path: os.PathLike[str] | str) -> None:
    """Load the weights of a ``.keras`` or ``.weights.h5`` file into a model of the same layers.

    Raises:
        InputError: there is no such file, it is damaged, or its weights do not fit the model.
    """
    what = f"the weights in {path}"
    if Path(path).suffix == ".keras":
        with zip_archive.opened(path, "the .keras file") as archive:
            if _WEIGHTS not in archive.names:
                raise InputError(f"Expected {path} to contain {_WEIGHTS}. Received: none.")
            content = archive.read(_WEIGHTS)
    elif str(path).endswith(".weights.h5"):
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise InputError(
                f"Expected a file of weights. Received: {path} ({error.strerror})."
            ) from error
    else:
        raise InputError(f"Expected weights in a .keras or .weights.h5 file. Received: {path}.")
    hdf5.check(io.BytesIO(content), len(content), what)
    try:
        with warnings.catch_warnings():
            # The state of the optimizer in the file is not loaded into an optimizer without state.
            warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
            model.load_weights(path)
    except Exception as error:  # weights that do not fit raise different exceptions
        raise InputError(
            f"Expected {what} to fit the model. Received: {in_a_line(error)}."
        ) from error
