"""Pythae: `AE` with the same network as encoder and decoder, trained by `TrainingPipeline`.

Differences: the loss sums the squared errors of a sample's pixels instead of averaging them. Pythae
copies the model after each epoch that lowered the loss, and updates a progress bar, hidden here,
after each step. No option disables these.
"""

import contextlib
import os
import tempfile

from benchmarks.peers import steady_seconds, torch_layers, without_log

PACKAGE = "pythae"


def epoch_seconds(sizes, activations, x, batch_size, rate, epochs):
    """See `benchmarks.peers`."""
    from pythae.models import AE, AEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.pipelines import TrainingPipeline
    from pythae.trainers import BaseTrainerConfig
    from torch import nn

    code = sizes.index(min(sizes))

    class Encoder(BaseEncoder):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(*torch_layers(sizes[: code + 1], activations[:code]))

        def forward(self, x):
            return ModelOutput(embedding=self.layers(x))

    class Decoder(BaseDecoder):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(*torch_layers(sizes[code:], activations[code:]))

        def forward(self, z):
            return ModelOutput(reconstruction=self.layers(z))

    def fit(x, epochs):
        # Pythae always saves the trained model once.
        with tempfile.TemporaryDirectory() as folder:
            config = AEConfig(input_dim=(sizes[0],), latent_dim=sizes[code])
            training = BaseTrainerConfig(
                output_dir=folder,
                num_epochs=epochs,
                learning_rate=rate,
                per_device_train_batch_size=batch_size,
                optimizer_cls="Adam",
                no_cuda=True,
            )
            TrainingPipeline(AE(config, Encoder(), Decoder()), training)(x)

    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere), without_log():
        return steady_seconds(fit, x, batch_size, epochs)
