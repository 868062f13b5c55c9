"""Standard baselines: what a reconstruction has to beat before it is worth anything."""

import numpy as np

# Components of more features than these come from a randomized solver: the exact one takes the
# covariance of all pairs of features.
_EXACT_FEATURES = 2048


def mean_floor(data):
    """Test MSE of predicting the mean training image for every image.

    An autoencoder that ends here has collapsed: its code says nothing of its input.
    """
    return mean_error(data.x_train, data.x_test)


def pca_floors(data, components):
    """Test MSE of principal component analysis, the best linear autoencoder.

    Reconstructions are clipped to [0, 1], as a sigmoid's are by nature.

    Args:
        data: a `Dataset`.
        components: the code sizes to measure, integers.

    Returns:
        Dict of code size to test MSE. More components than the data allow count as all.
    """
    return pca_errors(data.x_train, data.x_test, components, clip=True)


def mean_error(x_train, x_test):
    """MSE on ``x_test`` of predicting the mean of ``x_train``; arrays of shape (n, ...)."""
    mean = x_train.mean(axis=0, dtype=np.float64)
    return float(np.mean((x_test - mean) ** 2))


def pca_errors(x_train, x_test, components, clip):
    """MSE on ``x_test`` of PCA fitted to ``x_train``, arrays of shape (n, ...).

    Args:
        x_train: samples to fit to.
        x_test: samples to reconstruct.
        components: the numbers of components to measure, integers.
        clip: whether to clip reconstructions to [0, 1].

    Returns:
        Dict of number of components to MSE. More components than the data allow count as all.
    """
    from sklearn.decomposition import PCA

    train = x_train.reshape(len(x_train), -1)
    test = x_test.reshape(len(x_test), -1)
    most = min(max(components), *train.shape)
    exact = train.shape[1] <= _EXACT_FEATURES
    solver = "covariance_eigh" if exact else "randomized"
    pca = PCA(most, svd_solver=solver, random_state=0).fit(train)
    codes = pca.transform(test)
    errors = {}
    for count in sorted(set(components)):
        # Leading components are the same however many are kept, so one fit serves all.
        restored = codes[:, :count] @ pca.components_[:count] + pca.mean_
        if clip:
            restored = np.clip(restored, 0, 1)
        errors[count] = float(np.mean((restored - test) ** 2, dtype=np.float64))
    return errors
