"""The training images in two parts: one to learn from, one to choose by."""

from ae_multi.data.dataset import Dataset

_LEARNED = 5 / 6


def without_test_images(data):
    """The first five sixths of a `Dataset`'s training images, the others in place of its test's.

    Args:
        data: the `Dataset`, whose test images are not looked at.
    """
    learned = int(_LEARNED * len(data.x_train))
    x, y = data.x_train, data.y_train
    return Dataset(
        x[:learned], y[:learned], x[learned:], y[learned:],
        name=data.name, source=f"{data.source}; its training images in two parts",
    )  # fmt: skip
