"""PyOD: `AutoEncoder`, an outlier detector.

The decoder has the sizes of the encoder in reverse. Batch normalization, dropout, weight decay and
the standardization of the samples are disabled. Differences: the code has the activation "relu" as
all hidden layers have, the output is linear, and an incomplete last batch is left out.
"""

from benchmarks.peers import steady_seconds

PACKAGE = "pyod"


def epoch_seconds(sizes, activations, x, batch_size, rate, epochs):
    """See `benchmarks.peers`. The activations are those of PyOD, and ``sizes`` is a palindrome.

    Raises:
        ValueError: the sizes of the decoder are not those of the encoder in reverse.
    """
    from pyod.models.auto_encoder import AutoEncoder

    if list(sizes) != list(sizes[::-1]):
        raise ValueError(f"Expected sizes that read the same backwards. Received: {sizes}.")

    def fit(x, epochs):
        AutoEncoder(
            hidden_neuron_list=list(sizes[1 : len(sizes) // 2 + 1]),
            batch_norm=False,
            dropout_rate=0,
            preprocessing=False,
            optimizer_params={},
            lr=rate,
            batch_size=batch_size,
            epoch_num=epochs,
            device="cpu",
            verbose=0,
        ).fit(x)

    return steady_seconds(fit, x, batch_size, epochs)
