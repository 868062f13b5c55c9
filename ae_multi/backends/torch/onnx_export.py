"""Write and run ONNX files."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch


def write_onnx(
    module: torch.nn.Module, example: torch.Tensor, shapes: Any, names: Sequence[str], path: Path
) -> None:
    """Write a module as an ONNX file.

    Args:
        module: the module, from one input to a tuple of outputs.
        example: a batch of inputs.
        shapes: the dynamic shapes of the input, as for `torch.onnx.export`.
        names: names of the outputs.
        path: path of the file.
    """
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it warns of each operator of missing packages
    try:
        program = torch.onnx.export(
            module,
            (example,),
            dynamo=True,
            verbose=False,
            input_names=["input"],
            output_names=list(names),
            dynamic_shapes=shapes,
        )
        for node in program.model.graph:
            node.metadata_props.clear()
        program.save(path, external_data=False)
    finally:
        logger.setLevel(level)


def run_onnx(path: Path, batches: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Return the outputs of an ONNX file for each batch, computed by ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return [
        dict(zip(names, map(np.asarray, session.run(names, {"input": batch})), strict=True))
        for batch in batches
    ]
