"""Files that JAX makes: StableHLO, as `jax.export` writes it."""

import jax
import numpy as np
from jax import export as jax_export


def write(model, format, path):
    """Write a functional Keras model from "input" to a dict of outputs, for any batch size."""
    trainable = [variable.value for variable in model.trainable_variables]
    others = [variable.value for variable in model.non_trainable_variables]

    def serve(inputs):
        return model.stateless_call(trainable, others, inputs, training=False)[0]

    sizes = ", ".join(["batch", *map(str, model.input_shape[1:])])
    inputs = jax.ShapeDtypeStruct(jax_export.symbolic_shape(sizes), np.float32)
    # Names of this machine's files stay out of it.
    known = jax.config.jax_hlo_source_file_canonicalization_regex
    jax.config.update("jax_hlo_source_file_canonicalization_regex", ".*")
    try:
        # One file for every kind of device.
        exported = jax_export.export(jax.jit(serve), platforms=("cpu", "cuda", "tpu"))(inputs)
        path.write_bytes(exported.serialize())
    finally:
        jax.config.update("jax_hlo_source_file_canonicalization_regex", known)


def run(format, path, batches):
    """What the file makes of each batch: a list of dicts of arrays."""
    serve = jax.jit(jax_export.deserialize(bytearray(path.read_bytes())).call)
    return [{name: np.asarray(value) for name, value in serve(batch).items()} for batch in batches]


def versions(format):
    """Versions of what makes and runs the format."""
    return {"jax": jax.__version__}
