"""skorch: `NeuralNetRegressor` with the same network and its input as target.

Nothing differs. By default skorch holds out a fifth of the samples and does not shuffle; here
nothing is held out and the samples are shuffled.
"""

from benchmarks.peers import steady_seconds, torch_layers

PACKAGE = "skorch"


def epoch_seconds(sizes, activations, x, batch_size, rate, epochs):
    """See `benchmarks.peers`."""
    import torch
    from skorch import NeuralNetRegressor

    def fit(x, epochs):
        NeuralNetRegressor(
            torch.nn.Sequential(*torch_layers(sizes, activations)),
            optimizer=torch.optim.Adam,
            lr=rate,
            batch_size=batch_size,
            max_epochs=epochs,
            train_split=None,
            iterator_train__shuffle=True,
            device="cpu",
            verbose=0,
        ).fit(x, x)

    return steady_seconds(fit, x, batch_size, epochs)
