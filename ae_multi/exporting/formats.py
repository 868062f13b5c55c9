"""The formats that a model can leave in, and who makes and runs each."""

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from ae_multi.errors import ExportError, InputError
from ae_multi.selection import install_advice


class Format(NamedTuple):
    """One format.

    Attributes:
        title: what it is called.
        suffix: what its files are named; a folder has none.
        backend: the Keras backend that makes it, and whose environment has its runtime.
        modules: what making and running it needs beside that backend.
    """

    title: str
    suffix: str
    backend: str
    modules: tuple

    def missing(self):
        """What of it cannot be imported here, found out without importing it."""
        return [name for name in (self.backend, *self.modules) if find_spec(name) is None]


FORMATS = {
    "onnx": Format("ONNX", ".onnx", "torch", ("onnx", "onnxscript", "onnxruntime")),
    "torch": Format("torch.export", ".pt2", "torch", ()),
    "savedmodel": Format("TensorFlow SavedModel", "", "tensorflow", ()),
    "litert": Format("LiteRT", ".tflite", "tensorflow", ()),
    "openvino": Format("OpenVINO", ".xml", "openvino", ()),
    "stablehlo": Format("StableHLO", ".stablehlo", "jax", ("flatbuffers",)),
}


def chosen(name, path):
    """The name of a format, as asked for or as the path's suffix says.

    Raises:
        InputError: an unknown format or suffix, or one that does not fit the other.
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
        what = f"a file named {required}" if required else "a folder, whose name has no suffix"
        raise InputError(f"Expected {what} for the format {name!r}. Received: {path}.")
    return name


def check_made_here(name):
    """Raise `ExportError` unless this environment can make and run the format."""
    missing = FORMATS[name].missing()
    if missing:
        raise ExportError(
            f"Expected {', '.join(missing)} to be installed, since {FORMATS[name].title} is made "
            f"and run by them. Received: an environment without; {install_advice(*missing)}, or "
            "name another's interpreter: --python "
            f"{FORMATS[name].backend}=PATH, pythons={{'{FORMATS[name].backend}': PATH}}."
        )
