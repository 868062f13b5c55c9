"""Files that PyTorch makes: torch.export's own, and ONNX."""

import logging
import warnings
from importlib import metadata

import numpy as np
import torch

from ae_multi._keras import keras


class _Module(torch.nn.Module):
    """A functional Keras model as PyTorch calls it; ``names`` makes of its outputs a tuple.

    It holds the values of the model's variables and not the model, whose modules know each
    variable by several names, under which files would hold it several times.
    """

    def __init__(self, model, names=None):
        super().__init__()
        self.trainable = _parameters(model.trainable_variables)
        self.others = _parameters(model.non_trainable_variables)
        self.names = names
        object.__setattr__(self, "model", model)  # past PyTorch, which would count it a part

    def forward(self, inputs):
        """The outputs in use."""
        state = list(self.trainable), list(self.others)
        outputs, _ = self.model.stateless_call(*state, inputs, training=False)
        return outputs if self.names is None else tuple(outputs[name] for name in self.names)


def _parameters(variables):
    values = [variable.value.detach() for variable in variables]
    return torch.nn.ParameterList(torch.nn.Parameter(v, requires_grad=False) for v in values)


def write(model, format, path):
    """Write a functional Keras model from "input" to a dict of outputs, for any batch size."""
    # Of a batch of one, programs remember that it was one.
    example = keras.ops.zeros((2, *model.input_shape[1:]), "float32")
    shapes = {"inputs": {0: torch.export.Dim("batch")}}
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    with torch.no_grad(), warnings.catch_warnings():
        # PyTorch's own use of what it has deprecated.
        warnings.filterwarnings("ignore", category=FutureWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        if format == "torch":
            program = torch.export.export(_Module(model).eval(), (example,), dynamic_shapes=shapes)
            for node in program.graph.nodes:  # where in which files on this machine it came from
                node.meta.pop("stack_trace", None)
            torch.export.save(program, path)
            return
        logger.setLevel(logging.ERROR)  # it tells of every operator of packages that are not here
        try:
            names = sorted(model.compute_output_shape(model.input_shape))
            program = torch.onnx.export(
                _Module(model, names).eval(),
                (example,),
                dynamo=True,
                verbose=False,
                input_names=["input"],
                output_names=names,
                dynamic_shapes=shapes,
            )
            for node in program.model.graph:
                node.metadata_props.clear()
            program.save(path, external_data=False)
        finally:
            logger.setLevel(level)


def run(format, path, batches):
    """What the file makes of each batch, by its own runtime: a list of dicts of arrays."""
    if format == "torch":
        module = torch.export.load(path).module()
        with torch.no_grad():
            outputs = [module(keras.ops.convert_to_tensor(batch)) for batch in batches]
        return [
            {name: keras.ops.convert_to_numpy(value) for name, value in each.items()}
            for each in outputs
        ]
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return [
        dict(zip(names, map(np.asarray, session.run(names, {"input": batch})), strict=True))
        for batch in batches
    ]


def versions(format):
    """Versions of what makes and runs the format."""
    packages = ["torch"] if format == "torch" else ["torch", "onnx", "onnxscript", "onnxruntime"]
    return {package: metadata.version(package) for package in packages}
