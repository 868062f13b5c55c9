"""
Segment images
==============

A :class:`~ae_multi.Segmenter` assigns a class to each pixel. It learns from images and their
masks, here digits on a background that is as bright as they are.
"""

import matplotlib.pyplot as plt
import numpy as np

import ae_multi

data = ae_multi.load_data("mnist-sample")


def scenes(images, seed):
    """Images on a background of bright stripes, and the masks of the digits."""
    rng = np.random.default_rng(seed)
    angle, phase = rng.uniform(0, np.pi, (2, len(images), 1, 1))
    y, x = np.mgrid[:28, :28]
    stripes = np.sin(x * np.cos(angle) + y * np.sin(angle) + 2 * phase)[..., None]
    background = 0.4 + 0.25 * stripes + rng.normal(0, 0.05, images.shape)
    return np.clip(np.maximum(0.8 * images, background), 0, 1), images[..., 0] > 0.5


# %%
# Train on 1,000 scenes.

segmenter = ae_multi.Segmenter(filters=(16, 32, 64), learning_rate=5e-3, epochs=10)
segmenter.fit(*scenes(data.x_train[:1000], seed=0))

# %%
# Compare the masks of other scenes with a threshold on the brightness. The measure is the
# intersection over union (IoU) with the true masks.

images, masks = scenes(data.x_test[:200], seed=1)
found = segmenter.predict(images)


def iou(prediction):
    """Intersection over union of a mask with the true one, over all pixels."""
    return (prediction & masks).sum() / (prediction | masks).sum()


print(f"threshold on brightness {iou(images[..., 0] > 0.7):.3f}")
print(f"segmenter               {iou(found.astype(bool)):.3f}")

# %%
# From top to bottom: scenes, true masks and masks that were found.

figure, axes = plt.subplots(3, 8, figsize=(9, 3.6), layout="constrained")
for row, pictures in zip(axes, (images[..., 0], masks, found), strict=True):
    for axis, picture in zip(row, pictures[:8], strict=True):
        axis.imshow(picture, cmap="gray_r", vmin=0, vmax=1)
        axis.axis("off")
