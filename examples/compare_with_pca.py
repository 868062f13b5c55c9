"""
Compare an autoencoder with PCA
===============================

A linear autoencoder cannot be better than PCA, and a badly trained one is worse. So compare the
reconstruction errors before you use a code, for the size of code that you need.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import ae_multi

x = load_digits().data / 16.0  # (1797, 64), in [0, 1]
x_train, x_test = train_test_split(x, test_size=0.25, random_state=0)

# %%
# Train one transformer for each size of code. ``compare_with_pca`` computes the test errors of the
# model, of PCA with as many components and of the mean of the training samples.

sizes = (1, 2, 4, 8, 16)
comparisons = []
for size in sizes:
    reducer = ae_multi.AutoencoderTransformer(
        latent_dim=size, hidden=(256, 64), scale=None, epochs=80, learning_rate=3e-3
    ).fit(x_train)
    comparisons.append(ae_multi.compare_with_pca(reducer, x_train, x_test))
print(comparisons[-1])

# %%
# The shorter the code, the more a network gains that can bend the subspace along the data.

figure, axis = plt.subplots(figsize=(7, 3.6), layout="constrained")
axis.plot(sizes, [c.pca_mse for c in comparisons], "o-", label="PCA")
axis.plot(sizes, [c.model_mse for c in comparisons], "o-", label="autoencoder")
axis.axhline(comparisons[0].mean_mse, color="gray", linestyle=":", label="mean of the data")
axis.set(xscale="log", xticks=sizes, xlabel="size of the code", ylabel="test MSE")
axis.set_xticks(sizes, labels=map(str, sizes))
axis.minorticks_off()
axis.legend()
