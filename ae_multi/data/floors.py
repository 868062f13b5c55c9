"""What a reconstruction has to beat before it is worth anything."""

import numpy as np


def mean_floor(data):
    """Test MSE of predicting the mean training image for every image.

    An autoencoder that ends here has collapsed: its code says nothing of its input.
    """
    mean = data.x_train.mean(axis=0, dtype=np.float64)
    return float(np.mean((data.x_test - mean) ** 2))


def pca_floors(data, components):
    """Test MSE of principal component analysis, the best linear autoencoder.

    Reconstructions are clipped to [0, 1], as a sigmoid's are by nature.

    Args:
        data: a `Dataset`.
        components: the code sizes to measure, integers.

    Returns:
        Dict of code size to test MSE. More components than the data allow count as all.
    """
    from sklearn.decomposition import PCA

    train = data.x_train.reshape(len(data.x_train), -1)
    test = data.x_test.reshape(len(data.x_test), -1)
    most = min(max(components), *train.shape)
    pca = PCA(most, svd_solver="covariance_eigh").fit(train)
    codes = pca.transform(test)
    floors = {}
    for count in sorted(set(components)):
        # Leading components are the same however many are kept, so one fit serves all.
        restored = codes[:, :count] @ pca.components_[:count] + pca.mean_
        floors[count] = float(np.mean((np.clip(restored, 0, 1) - test) ** 2, dtype=np.float64))
    return floors
