"""Numbers of terms of the sums in layers, compared with counts by hand."""

import numpy as np
import pytest

from ae_multi.parity.term_counts import terms_of_layer

pytestmark = pytest.mark.backend

IMAGE, SEQUENCE = (4, 8, 8, 6), (4, 10, 16)
# (function that makes a layer, shapes of its inputs, terms of one value of its output)
CASES = {
    "Dense": (lambda layers: layers.Dense(5), [(4, 12)], 12),
    "Conv2D": (lambda layers: layers.Conv2D(5, 3), [IMAGE], 3 * 3 * 6),
    "Conv2DTranspose": (lambda layers: layers.Conv2DTranspose(5, 3), [IMAGE], 3 * 3 * 6),
    "DepthwiseConv2D": (lambda layers: layers.DepthwiseConv2D(3), [IMAGE], 3 * 3),
    "SeparableConv2D": (
        lambda layers: layers.SeparableConv2D(5, 3, depth_multiplier=2),
        [IMAGE],
        3 * 3 + 12,
    ),
    "EinsumDense": (
        lambda layers: layers.EinsumDense("btd,dhk->bthk", (None, 2, 3)),
        [SEQUENCE],
        16,
    ),
    "EinsumDense of any rank": (
        lambda layers: layers.EinsumDense("...xy,yz->...xz", (10, 3)),
        [SEQUENCE],
        16,
    ),
    "MultiHeadAttention": (
        lambda layers: layers.MultiHeadAttention(2, 3),
        [SEQUENCE, (4, 20, 16)],
        16 + 2 * 20,
    ),
    "Dot": (lambda layers: layers.Dot(axes=(2, 2)), [SEQUENCE, SEQUENCE], 16),
    "Softmax": (lambda layers: layers.Softmax(axis=1), [SEQUENCE], 10),
    "LayerNormalization": (lambda layers: layers.LayerNormalization(), [SEQUENCE], 16),
    "LayerNormalization over two axes": (
        lambda layers: layers.LayerNormalization(axis=(1, 2)),
        [SEQUENCE],
        160,
    ),
    "GroupNormalization": (lambda layers: layers.GroupNormalization(3), [IMAGE], 8 * 8 * 2),
    "BatchNormalization": (lambda layers: layers.BatchNormalization(), [IMAGE], 4 * 8 * 8),
    "AveragePooling2D": (lambda layers: layers.AveragePooling2D(2), [IMAGE], 4),
    "GlobalAveragePooling2D": (lambda layers: layers.GlobalAveragePooling2D(), [IMAGE], 64),
    "Dropout": (lambda layers: layers.Dropout(0.5), [SEQUENCE], 1),
    "Add": (lambda layers: layers.Add(), [SEQUENCE, SEQUENCE], 1),
    "LSTM": (lambda layers: layers.LSTM(5), [SEQUENCE], 10 * (16 + 5 + 1)),
}


@pytest.mark.parametrize("name", CASES)
def test_terms_of_a_layer(keras, name):
    make, shapes, expected = CASES[name]
    layer = make(keras.layers)
    inputs = [np.zeros(shape, np.float32) for shape in shapes]
    tensors = [keras.ops.convert_to_tensor(array) for array in inputs]
    if isinstance(layer, keras.layers.MultiHeadAttention):
        output = layer(*tensors)
    else:
        output = layer(tensors if len(tensors) > 1 else tensors[0])
    assert terms_of_layer(layer, inputs, keras.ops.convert_to_numpy(output)) == expected


def test_terms_of_an_embedding(keras):
    layer = keras.layers.Embedding(1000, 8)
    words = np.zeros((4, 6), np.int32)
    output = keras.ops.convert_to_numpy(layer(keras.ops.convert_to_tensor(words)))
    assert terms_of_layer(layer, [words], output) == 1
