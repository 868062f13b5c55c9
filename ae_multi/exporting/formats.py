"""The export formats, and the backend and packages that write and run each."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from ae_multi.backend_selection import install_advice
from ae_multi.errors import ExportError, InputError


class Format(NamedTuple):
    """One export format.

    Attributes:
        title: name of the format in messages.
        suffix: suffix of its files; "" for a folder.
        backend: backend that writes it, whose environment contains its runtime.
        modules: further modules that writing and running it need.
    """

    title: str
    suffix: str
    backend: str
    modules: tuple[str, ...]

    def missing(self) -> list[str]:
        """Return the required modules that are not installed, without importing them."""
        return [name for name in (self.backend, *self.modules) if find_spec(name) is None]


FORMATS = {
    "onnx": Format("ONNX", ".onnx", "torch", ("onnx", "onnxscript", "onnxruntime")),
    "torch": Format("torch.export", ".pt2", "torch", ()),
    "savedmodel": Format("TensorFlow SavedModel", "", "tensorflow", ()),
    "litert": Format("LiteRT", ".tflite", "tensorflow", ()),
    "openvino": Format("OpenVINO", ".xml", "openvino", ()),
    "stablehlo": Format("StableHLO", ".stablehlo", "jax", ("flatbuffers",)),
}


def chosen(name: str | None, path: os.PathLike[str] | str) -> str:
    """Return ``name``, or if it is None the name of the format with the suffix of ``path``.

    Raises:
        InputError: the format or suffix is unknown, or they do not match.
    """
    suffix = Path(path).suffix
    if name is None:
        for known, format in FORMATS.items():
            if format.suffix == suffix:
                return known
        raise InputError(
            f"Expected a file named {', '.join(f.suffix for f in FORMATS.values() if f.suffix)}, "
            f"or a format. Received: {path}."
        )
    if name not in FORMATS:
        raise InputError(f"Expected a format among {', '.join(FORMATS)}. Received: {name!r}.")
    required = FORMATS[name].suffix
    if suffix != required:
        expected = f"a file named {required}" if required else "a folder, whose name has no suffix"
        raise InputError(f"Expected {expected} for the format {name!r}. Received: {path}.")
    return name


def check_made_here(name: str) -> None:
    """Raise `ExportError` unless this environment can write and run the format."""
    missing = FORMATS[name].missing()
    if missing:
        raise ExportError(
            f"Expected {', '.join(missing)} to be installed, which write and run "
            f"{FORMATS[name].title}. Received: an environment without; {install_advice(*missing)}, "
            "or name another environment's interpreter: --python "
            f"{FORMATS[name].backend}=PATH, pythons={{'{FORMATS[name].backend}': PATH}}."
        )
