"""Default batch size of `predict`."""

import math
from typing import Any

import numpy as np

from ae_multi._keras import keras
from ae_multi._keras_internals import flatten_layers, output_shapes
from ae_multi.data.arrays import flat_arrays

# The output of the widest layer for one batch should fit in the cache of a processor (bytes), and
# a batch should be large enough for the overhead of a call to be small.
_CACHE_BYTES = 2**23
_MIN_SIZE, _MAX_SIZE = 32, 4096
# Keras's default, which affects the result if an output depends on the other samples of its batch.
_KERAS_SIZE = 32

_LIBRARIES = {"keras", "ae_multi"}
_FOREIGN = {"FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper"}
# Operations between layers that compute each sample independently.
_BY_SAMPLE = {"Add", "Divide", "Multiply", "Subtract", "TrueDivide", "Negative"}


def default_batch_size(model: keras.Model | keras.layers.Layer, data: Any) -> int:
    """Return the number of samples that `predict` computes at once.

    Args:
        model: a `keras.Model` or a layer.
        data: nested arrays of the model's inputs.

    Returns:
        The batch size in the model's input shapes, if it is fixed there; 32, as in Keras, if an
        output may depend on the other samples of its batch; otherwise a power of two from 32 to
        4096.
    """
    inputs = getattr(model, "inputs", None) or ()
    fixed = {tensor.shape[0] for tensor in keras.tree.flatten(inputs)} - {None}
    if fixed:
        return int(min(fixed))
    if not all(map(_computes_each_sample_alone, flatten_layers(model))):
        return _KERAS_SIZE
    widest = max(array[0].nbytes for array in flat_arrays(data))
    for layer in flatten_layers(model):
        for _, *shape in output_shapes(layer):
            sizes = [size for size in shape if size is not None]
            if len(sizes) == len(shape):
                widest = max(widest, 4 * math.prod(sizes))
    power = 2 ** int(math.log2(max(1, _CACHE_BYTES // widest)))
    return int(np.clip(power, _MIN_SIZE, _MAX_SIZE))


def _computes_each_sample_alone(layer: keras.layers.Layer) -> bool:
    """Return whether each output of ``layer`` at inference depends on one sample only.

    False if that is not known, as for code from outside of Keras and this package.
    """
    kind = type(layer)
    if kind.__module__.partition(".")[0] not in _LIBRARIES or kind.__name__ in _FOREIGN:
        return False
    if getattr(layer, "stateful", False):
        return False
    return all(
        isinstance(operation, keras.Layer) or type(operation).__name__ in _BY_SAMPLE
        for operation in getattr(layer, "operations", ())
    )
