"""Export of a model as StableHLO, written by `jax.export`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import numpy as np
from jax import export as jax_export

if TYPE_CHECKING:
    from ae_multi._keras import keras


def write(model: keras.Model, format: str, path: Path) -> None:
    """Write ``model`` as a file in ``format``; see `ae_multi.backends.protocol.Exporter`."""
    trainable = [variable.value for variable in model.trainable_variables]
    others = [variable.value for variable in model.non_trainable_variables]

    def serve(inputs):
        return model.stateless_call(trainable, others, inputs, training=False)[0]

    sizes = ", ".join(["batch", *map(str, model.input_shape[1:])])
    inputs = jax.ShapeDtypeStruct(jax_export.symbolic_shape(sizes), np.float32)
    # Omit the names of source files on this machine.
    previous = jax.config.jax_hlo_source_file_canonicalization_regex
    jax.config.update("jax_hlo_source_file_canonicalization_regex", ".*")
    try:
        # One file serves all platforms.
        exported = jax_export.export(jax.jit(serve), platforms=("cpu", "cuda", "tpu"))(inputs)
        path.write_bytes(exported.serialize())
    finally:
        jax.config.update("jax_hlo_source_file_canonicalization_regex", previous)


def run(format: str, path: Path, batches: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Return the outputs of the file for each batch, computed by JAX."""
    serve = jax.jit(jax_export.deserialize(bytearray(path.read_bytes())).call)
    return [{name: np.asarray(value) for name, value in serve(batch).items()} for batch in batches]


def versions(format: str) -> dict[str, str]:
    """Return the versions of the packages that write and run ``format``."""
    return {"jax": jax.__version__}
