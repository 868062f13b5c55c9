"""Padding of Keras's "same" convolutions, and cropping of its "same" transposed convolutions.

Along an axis of n values, a convolution with stride s and a dilated kernel of K = (k - 1) dilation
+ 1 values returns ceil(n / s) values. The padding is the number of zeros that this needs; if it is
odd, the last zero is at the end. A transposed convolution is the transpose of a convolution from
n s values. Its output is cropped by the padding of that convolution.
"""

from ae_multi.interop.graph import Layer

Edges = tuple[tuple[int, int], ...]


def around(layer: Layer, kernel: tuple[int, int]) -> Edges:
    """Return the zeros ((top, bottom), (left, right)) around the input of `layer`.

    Args:
        layer: a convolution or pooling.
        kernel: (height, width) of its kernel or window.
    """
    settings = layer.settings
    if settings["padding"] == "valid":
        return ((0, 0), (0, 0))
    dilation = settings.get("dilation", (1, 1))
    return tuple(
        _around(size, (k - 1) * d + 1, s)
        for size, k, s, d in zip(layer.takes, kernel, settings["strides"], dilation, strict=False)
    )


def beyond(layer: Layer, kernel: tuple[int, int]) -> Edges:
    """Return the padding ((top, bottom), (left, right)) of a transposed convolution's output.

    Negative numbers crop. The output before padding has (n - 1) s + k values along each axis.
    """
    edges = []
    for n, required, k, s in zip(
        layer.takes, layer.gives, kernel, layer.settings["strides"], strict=False
    ):
        before = 0 if layer.settings["padding"] == "valid" else max(k - s, 0) // 2
        edges.append((-before, required - ((n - 1) * s + k) + before))
    return tuple(edges)


def _around(size: int, reach: int, stride: int) -> tuple[int, int]:
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return (total // 2, total - total // 2)
