"""How many zeros Keras's "same" puts around an image, and what it cuts off when it enlarges one.

Along an axis of n numbers, with a kernel that reaches over K = (k - 1) dilation + 1 of them, a
convolution with stride s gives ceil(n / s) numbers: the total of zeros is what that lacks, and the
odd one goes behind. A transposed convolution is the way back of one from n s numbers, so that it
loses what that one was padded with.
"""


def around(layer, kernel):
    """Zeros ((top, bottom), (left, right)) around the input of a convolution or pooling."""
    settings = layer.settings
    if settings["padding"] == "valid":
        return ((0, 0), (0, 0))
    dilation = settings.get("dilation", (1, 1))
    return tuple(
        _around(size, (k - 1) * d + 1, s)
        for size, k, s, d in zip(layer.takes, kernel, settings["strides"], dilation, strict=False)
    )


def beyond(layer, kernel):
    """Numbers that the output of a transposed convolution lacks: below 0 those to cut off.

    For ((top, bottom), (left, right)), where it is enlarged to (n - 1) s + k numbers at first.
    """
    found = []
    for n, required, k, s in zip(
        layer.takes, layer.gives, kernel, layer.settings["strides"], strict=False
    ):
        before = 0 if layer.settings["padding"] == "valid" else max(k - s, 0) // 2
        found.append((-before, required - ((n - 1) * s + k) + before))
    return tuple(found)


def _around(size, reach, stride):
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return (total // 2, total - total // 2)
