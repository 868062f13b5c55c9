"""scikit-learn: `MLPRegressor`, whose target is its input.

The L2 penalty is switched off. What differs: all hidden layers are rectified, the code too, the
output is linear, and the loss is half the squared errors' sum over the pixels. It computes with
NumPy.
"""

import warnings

from benchmarks.peers import steady_seconds

PACKAGE = "scikit-learn"


def epoch_seconds(sizes, activations, x, batch_size, rate, epochs):
    """See `benchmarks.peers`; the activations are scikit-learn's."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    def fit(x, epochs):
        MLPRegressor(
            hidden_layer_sizes=sizes[1:-1],
            activation="relu",
            solver="adam",
            alpha=0,
            batch_size=batch_size,
            learning_rate_init=rate,
            max_iter=epochs,
            n_iter_no_change=epochs,  # never stops early
        ).fit(x, x)

    with warnings.catch_warnings():
        # A given number of epochs is all that is wanted here.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return steady_seconds(fit, x, batch_size, epochs)
