"""Files that OpenVINO makes of a model, by Keras's backend of that name."""

import numpy as np
import openvino
import openvino.opset16 as operations

from ae_multi._keras_internals import openvino_tensor


def write(model, format, path):
    """Write a functional Keras model from "input" to a dict of outputs, for any batch size."""
    shape = openvino.PartialShape([-1, *model.input_shape[1:]])
    inputs = operations.parameter(shape, openvino.Type.f32)
    outputs = model(openvino_tensor(inputs.output(0)), training=False)
    results = [operations.result(outputs[name].output) for name in sorted(outputs)]
    graph = openvino.Model(results, [inputs])
    graph.inputs[0].tensor.set_names({"input"})
    for name, output in zip(sorted(outputs), graph.outputs, strict=True):
        output.tensor.set_names({name})
    # By default weights are halved, and results are off by 1e-3.
    openvino.save_model(graph, str(path), compress_to_fp16=False)


def run(format, path, batches):
    """What the file makes of each batch, by its own runtime: a list of dicts of arrays."""
    hint = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.compile_model(str(path), "CPU", hint)
    names = [output.get_any_name() for output in compiled.outputs]
    return [{name: np.array(compiled(batch)[name]) for name in names} for batch in batches]


def versions(format):
    """Versions of what makes and runs the format."""
    return {"openvino": openvino.__version__.split("-")[0]}
