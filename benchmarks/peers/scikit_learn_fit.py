"""scikit-learn: `MLPRegressor` with its input as target.

The L2 penalty is disabled. Differences: all hidden layers, including the code, have the activation
"relu", the output is linear, and the loss is half the sum of the squared errors over the pixels. It
computes with NumPy.
"""

import warnings

from benchmarks.peers import steady_seconds

PACKAGE = "scikit-learn"


def epoch_seconds(sizes, activations, x, batch_size, rate, epochs):
    """See `benchmarks.peers`. The activations are those of scikit-learn."""
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
        # A fixed number of epochs, without convergence, is intended.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return steady_seconds(fit, x, batch_size, epochs)
