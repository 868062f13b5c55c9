"""
Remove noise from images
========================

A :class:`~ae_multi.Denoiser` learns from clean images alone: it adds Gaussian noise of its own in
every training step.
"""

import matplotlib.pyplot as plt
import numpy as np

import ae_multi

data = ae_multi.load_data("mnist-sample")
denoiser = ae_multi.Denoiser(noise=0.4, hidden=(16, 32), epochs=4).fit(data.x_train[:2000])

# %%
# Add noise to test images, and remove it.

clean = data.x_test[:200]
noise = np.random.default_rng(0).normal(0, 0.4, clean.shape)
noisy = np.clip(clean + noise, 0, 1)
restored = denoiser.transform(noisy)


def psnr(images):
    """Peak signal-to-noise ratio in dB, the mean over images."""
    errors = np.mean((images - clean) ** 2, axis=(1, 2, 3))
    return np.mean(10 * np.log10(1 / errors))


print(f"noisy    {psnr(noisy):5.2f} dB")
print(f"restored {psnr(restored):5.2f} dB")

# %%
# From top to bottom: clean, noisy and restored images.

rows = {"clean": clean, "noisy": noisy, "restored": restored}
figure, axes = plt.subplots(3, 8, figsize=(9, 3.6), layout="constrained")
for row, (name, images) in zip(axes, rows.items(), strict=True):
    for axis, image in zip(row, images[:8], strict=True):
        axis.imshow(image[..., 0], cmap="gray_r", vmin=0, vmax=1)
        axis.set(xticks=[], yticks=[])
    row[0].set_ylabel(name)
