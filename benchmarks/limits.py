"""Upper bounds of the speed on this machine, from its arithmetic and its memory bandwidth."""

import math
import time

from ae_multi import backends
from ae_multi._keras import keras


def limits(model, batch_size):
    """Return the upper bounds of the speed of one network on this machine.

    The arithmetic rate is that of a 2048 x 2048 matrix product in float32. The bandwidth is that of
    an elementwise operation that reads and writes as many bytes as a training step, so that data
    that fits into a cache is measured in the cache. Both are measured with the framework.

    Args:
        model: a built `Autoencoder`.
        batch_size: samples per step.

    Returns:
        Dict of ``gflop_per_second``, ``gib_per_second``, and for each of "training", "encode" and
        "reconstruct" a dict of ``flop`` and ``bytes`` per sample and ``samples_per_second``.
    """
    layers = [*model.encoder.layers, *model.decoder.layers]
    weights = sum(math.prod(weight.shape) for weight in model.trainable_variables)
    work = {
        "training": (_training_flop(layers), _training_bytes(layers, weights, batch_size)),
        "encode": (_flop(model.encoder.layers), _bytes(model.encoder.layers)),
        "reconstruct": (_flop(layers), _bytes(layers)),
    }
    rate = _product_rate()
    bandwidth = _bandwidth(work["training"][1] * batch_size)
    result = {"gflop_per_second": rate / 1e9, "gib_per_second": bandwidth / 2**30}
    for name, (flop, size) in work.items():
        result[name] = {
            "flop": flop,
            "bytes": size,
            "samples_per_second": 1 / max(flop / rate, size / bandwidth),
        }
    return result


def _flop(layers):
    """Return the multiplications and additions of the forward pass of one sample."""
    return sum(map(_layer_flop, layers))


def _training_flop(layers):
    # A product forward, one backward and one for the gradient of the weights. The gradient with
    # respect to the samples is not computed.
    first = next(flop for flop in map(_layer_flop, layers) if flop)
    return 3 * _flop(layers) - first


def _layer_flop(layer):
    if isinstance(layer, keras.layers.Dense):
        return 2 * math.prod(layer.kernel.shape)
    if isinstance(layer, keras.layers.Conv2D):
        return 2 * math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:3])
    if isinstance(layer, keras.layers.Conv2DTranspose):
        return 2 * math.prod(layer.kernel.shape) * math.prod(layer.input.shape[1:3])
    return 0


def _bytes(layers):
    """Return the bytes of one sample's input and of the outputs of all layers with weights."""
    computing = [layer for layer in layers if layer.weights]
    shapes = [layers[0].input.shape[1:], *(layer.output.shape[1:] for layer in computing)]
    return 4 * sum(map(math.prod, shapes))


def _training_bytes(layers, weights, batch_size):
    # An activation is written and read forward, read backward, and its gradient is written and
    # read. A weight is read forward and backward, its gradient is written and read, and Adam reads
    # and writes the weight and two moments.
    return 5 * _bytes(layers) + 4 * 10 * weights / batch_size


def _product_rate(size=2048):
    matrix = keras.random.normal((size, size), seed=0)
    return 2 * size**3 / _fastest(lambda a: keras.ops.matmul(a, a), matrix)


def _bandwidth(size):
    half = keras.random.normal((max(2**16, int(size) // 8),), seed=0)
    return 8 * half.shape[0] / _fastest(keras.ops.negative, half)


def _fastest(function, argument, repeats=20):
    if keras.config.backend() == "jax":
        import jax

        function = jax.jit(function)
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        result = function(argument)
        if hasattr(result, "block_until_ready"):
            result.block_until_ready()
        backends.current().wait()
        times.append(time.perf_counter() - begin)
    return min(times)
