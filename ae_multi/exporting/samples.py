"""Samples on which an exported file is compared with the model."""

from typing import Any

import numpy as np

from ae_multi import training
from ae_multi.data.checks import check_array
from ae_multi.data.mnist_sample import load_mnist_sample
from ae_multi.exporting.graph import Graph
from ae_multi.randomness.streams import stream

_COUNT = 256


def batches_for(graph: Graph, data: Any = None) -> list[np.ndarray]:
    """Return two batches of different sizes: all samples, and the first one alone.

    Args:
        graph: the exported graph.
        data: samples. None uses test images of MNIST if they fit the graph, and otherwise random
            numbers: uniform within the bounds of the inputs, or standard normal without bounds.

    Raises:
        InputError: the data do not fit the graph.
    """
    shape = graph.first.input_shape[1:] if graph.first else graph.shape
    x = _default_samples(graph.bounds, shape) if data is None else data
    x = check_array(x, "data", shape)
    if graph.first:
        x = training.predict(graph.first, x).reshape(len(x), *graph.shape)
    return [x, x[:1]]


def _default_samples(bounds, shape):
    if bounds is not None and np.ndim(bounds[0]) == 0 and tuple(bounds) == (0, 1):
        mnist = load_mnist_sample()
        if mnist.image_shape == tuple(shape):
            return mnist.x_test[:_COUNT]
    random = np.random.Generator(stream(0, "exporting/samples"))
    if bounds is None:
        return random.standard_normal((_COUNT, *shape)).astype(np.float32)
    low, high = bounds
    return (low + (high - low) * random.random((_COUNT, *shape))).astype(np.float32)
