"""Export of a model as OpenVINO files, by Keras's OpenVINO backend."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openvino
import openvino.opset16 as operations

from ae_multi._keras import keras
from ae_multi._keras_internals import openvino_tensor


def write(model: keras.Model, format: str, path: Path) -> None:
    """Write ``model`` as a file in ``format``; see `ae_multi.backends.protocol.Exporter`."""
    shape = openvino.PartialShape([-1, *model.input_shape[1:]])
    inputs = operations.parameter(shape, openvino.Type.f32)
    outputs = model(openvino_tensor(inputs.output(0)), training=False)
    results = [operations.result(outputs[name].output) for name in sorted(outputs)]
    graph = openvino.Model(results, [inputs])
    graph.inputs[0].tensor.set_names({"input"})
    for name, output in zip(sorted(outputs), graph.outputs, strict=True):
        output.tensor.set_names({name})
    # By default weights are compressed to float16, and results differ by 1e-3.
    openvino.save_model(graph, str(path), compress_to_fp16=False)


def run(format: str, path: Path, batches: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Return the outputs of the file for each batch, computed by the OpenVINO runtime."""
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.compile_model(str(path), "CPU", hint)
    names = [output.get_any_name() for output in compiled.outputs]
    return [{name: np.array(compiled(batch)[name]) for name in names} for batch in batches]


def versions(format: str) -> dict[str, str]:
    """Return the versions of the packages that write and run ``format``."""
    return {"openvino": openvino.__version__.split("-")[0]}
