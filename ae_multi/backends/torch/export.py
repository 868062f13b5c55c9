"""Export of a model in the format of `torch.export`, or as ONNX."""

import warnings
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ae_multi._keras import keras
from ae_multi.backends.torch.onnx_export import run_onnx, write_onnx


class _Module(torch.nn.Module):
    """A functional Keras model as a module that PyTorch can export.

    It registers the values of the model's variables and not the model. The modules of a Keras
    model register each variable under several names, so that files would contain it repeatedly.

    Args:
        model: functional Keras model.
        names: names of the outputs that are returned as a tuple; None returns a dict.
    """

    def __init__(self, model: keras.Model, names: Sequence[str] | None = None) -> None:
        super().__init__()
        self.trainable = _parameters(model.trainable_variables)
        self.others = _parameters(model.non_trainable_variables)
        self.names = names
        object.__setattr__(self, "model", model)  # bypass registration

    def forward(self, inputs):
        """Return the outputs in inference mode."""
        state = list(self.trainable), list(self.others)
        outputs, _ = self.model.stateless_call(*state, inputs, training=False)
        return outputs if self.names is None else tuple(outputs[name] for name in self.names)


def _parameters(variables: Sequence[keras.Variable]) -> torch.nn.ParameterList:
    values = [variable.value.detach() for variable in variables]
    return torch.nn.ParameterList(torch.nn.Parameter(v, requires_grad=False) for v in values)


def write(model: keras.Model, format: str, path: Path) -> None:
    """Write ``model`` as a file in ``format``; see `ae_multi.backends.protocol.Exporter`."""
    # A batch of one would be exported as a constant size.
    example = keras.ops.zeros((2, *model.input_shape[1:]), "float32")
    shapes: Any = {"inputs": {0: torch.export.Dim("batch")}}
    with torch.no_grad(), warnings.catch_warnings():
        # PyTorch uses functions that it has deprecated.
        warnings.filterwarnings("ignore", category=FutureWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        if format == "onnx":
            names = sorted(model.compute_output_shape(model.input_shape))
            write_onnx(_Module(model, names).eval(), example, shapes, names, path)
            return
        program = torch.export.export(_Module(model).eval(), (example,), dynamic_shapes=shapes)
        for node in program.graph.nodes:  # a stack trace has the paths of source files
            node.meta.pop("stack_trace", None)
        torch.export.save(program, path)


def run(format: str, path: Path, batches: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Return the outputs of the file for each batch, computed by the runtime of the format."""
    if format == "onnx":
        return run_onnx(path, batches)
    module = torch.export.load(path).module()
    with torch.no_grad():
        outputs = [module(keras.ops.convert_to_tensor(batch)) for batch in batches]
    return [
        {name: keras.ops.convert_to_numpy(value) for name, value in each.items()}
        for each in outputs
    ]


def versions(format: str) -> dict[str, str]:
    """Return the versions of the packages that write and run ``format``."""
    packages = ["torch"] if format == "torch" else ["torch", "onnx", "onnxscript", "onnxruntime"]
    return {package: metadata.version(package) for package in packages}
