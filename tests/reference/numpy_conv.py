"""Strided and transposed convolutions in NumPy float64, as sums over the kernel.

Both use "same" padding: a side of n becomes ceil(n / stride); where the padding is odd, the
additional pixel is at the end.
"""

import numpy as np


def conv(x, kernel, bias, stride):
    """Convolve: x (n, h, w, c), kernel (k, k, c, f), to (n, ceil(h / s), ceil(w / s), f)."""
    sides = [-(-side // stride) for side in x.shape[1:3]]
    pads = [
        max((small - 1) * stride + kernel.shape[0] - side, 0)
        for small, side in zip(sides, x.shape[1:3], strict=True)
    ]
    x = np.pad(x, [(0, 0), *((pad // 2, pad - pad // 2) for pad in pads), (0, 0)])
    y = np.zeros((len(x), *sides, kernel.shape[3])) + bias
    for i, j in np.ndindex(*kernel.shape[:2]):
        y += _grid(x, i, j, stride, sides) @ kernel[i, j].astype(np.float64)
    return y


def conv_transpose(x, kernel, bias, stride):
    """Transposed convolution: x (n, h, w, f), kernel (k, k, c, f), to (n, s h, s w, c)."""
    sides = x.shape[1:3]
    pad = max(kernel.shape[0] - stride, 0)
    padded = [stride * side + pad for side in sides]
    y = np.zeros((len(x), *padded, kernel.shape[2]))
    for i, j in np.ndindex(*kernel.shape[:2]):
        _grid(y, i, j, stride, sides)[...] += x @ kernel[i, j].T.astype(np.float64)
    first = pad // 2
    return y[:, first : first + stride * sides[0], first : first + stride * sides[1]] + bias


def _grid(x, i, j, stride, sides):
    """A view of every ``stride``-th pixel from (i, j) on, ``sides`` of them."""
    high, wide = ((side - 1) * stride + 1 for side in sides)
    return x[:, i : i + high : stride, j : j + wide : stride]
