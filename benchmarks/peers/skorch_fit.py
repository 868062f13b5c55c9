"""skorch: `NeuralNetRegressor` with the very network, whose target is its input.

Nothing differs. By default, skorch holds a fifth of the samples out and does not shuffle: the
first is switched off, the latter on.
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
