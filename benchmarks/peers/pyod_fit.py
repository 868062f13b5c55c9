"""PyOD: its `AutoEncoder`, an outlier detector.

Its sizes mirror each other. Batch normalization, dropout, weight decay and the standardization of
the samples are switched off. What differs: the code is rectified as all hidden layers are, the
output is linear, and samples that do not fill a last batch are left out of the epoch.
"""

from benchmarks.peers import steady_seconds

PACKAGE = "pyod"


def epoch_seconds(sizes, activations, x, batch_size, rate, epochs):
    """See `benchmarks.peers`; PyOD chooses the activations, and wants sizes that mirror.

    Raises:
        ValueError: the decoder's sizes are not the encoder's, mirrored.
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
