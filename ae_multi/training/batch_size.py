"""How many samples `predict` computes at once by default."""

import math

import numpy as np

from ae_multi._keras import keras
from ae_multi._keras_internals import flatten_layers, output_shapes
from ae_multi.data.arrays import flat_arrays

# What the widest layer gives for the samples that are computed at once should stay in the cache
# of a processor, in bytes; and a batch should be large enough to be worth a call.
_CACHE = 2**23
_FEWEST, _LARGEST = 32, 4096
# Keras's default, which counts where an output depends on the other samples of its batch.
_KERAS = 32

_LIBRARIES = {"keras", "ae_multi"}
_FOREIGN = {"FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper"}
# Operations between layers that compute each sample by itself.
_BY_SAMPLE = {"Add", "Divide", "Multiply", "Subtract", "TrueDivide", "Negative"}


def default_batch_size(model, data):
    """Samples that are computed at once.

    Args:
        model: a `keras.Model`, or a layer.
        data: nested arrays of the model's inputs.

    Returns:
        The size that the model's inputs are fixed to; or 32, as in Keras, where an output may
        depend on the other samples of its batch; otherwise a power of two from 32 to 4096.
    """
    inputs = getattr(model, "inputs", None) or ()
    fixed = {tensor.shape[0] for tensor in keras.tree.flatten(inputs)} - {None}
    if fixed:
        return int(min(fixed))
    if not all(map(_computes_samples_alone, flatten_layers(model))):
        return _KERAS
    widest = max(array[0].nbytes for array in flat_arrays(data))
    for layer in flatten_layers(model):
        shapes = [shape[1:] for shape in output_shapes(layer)]
        widest = max([widest, *(4 * math.prod(s) for s in shapes if None not in s)])
    return int(np.clip(2 ** int(math.log2(max(1, _CACHE // widest))), _FEWEST, _LARGEST))


def _computes_samples_alone(layer):
    """Whether an output of ``layer`` in use depends on its own sample only, as far as is known.

    Code from outside of Keras may do anything.
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
