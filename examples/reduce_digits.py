"""
Reduce digits to two numbers
============================

A code of two numbers is a map of the data. This example draws the maps of PCA and of an
autoencoder, and decodes points between the samples.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier

import ae_multi

digits = load_digits()
x = digits.data / 16.0  # (1797, 64), in [0, 1]

# %%
# Fit both. The transformer is used like any transformer of scikit-learn.

reducer = ae_multi.AutoencoderTransformer(
    latent_dim=2,
    hidden=(128, 64, 32),
    activation="tanh",
    scale=None,
    epochs=100,
    learning_rate=3e-3,
).fit(x)
maps = {"PCA": PCA(2).fit_transform(x), "autoencoder": reducer.transform(x)}

# %%
# Digits of one class lie together. The accuracy of a vote of ten neighbors says how well.

figure, axes = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
for axis, (name, codes) in zip(axes, maps.items(), strict=True):
    accuracy = cross_val_score(KNeighborsClassifier(10), codes, digits.target).mean()
    points = axis.scatter(*codes.T, c=digits.target, cmap="tab10", s=6, vmin=-0.5, vmax=9.5)
    axis.set(title=f"{name}, accuracy {accuracy:.2f}", xticks=[], yticks=[])
figure.colorbar(points, ax=axes, ticks=range(10), label="digit")

# %%
# The decoder gives an image for every point of the map, here along lines between two samples.

pairs = [(0, 1), (2, 3), (4, 6), (7, 9)]
first = {digit: np.flatnonzero(digits.target == digit)[0] for digit in range(10)}
steps = np.linspace(0, 1, 9)[:, None]
figure, axes = plt.subplots(len(pairs), len(steps), figsize=(9, 4), layout="constrained")
for row, pair in zip(axes, pairs, strict=True):
    start, end = maps["autoencoder"][[first[digit] for digit in pair]]
    images = reducer.inverse_transform((1 - steps) * start + steps * end)
    for axis, image in zip(row, images, strict=True):
        axis.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        axis.axis("off")
