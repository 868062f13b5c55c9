"""Lightning: a `LightningModule` of the same network, trained by `Trainer.fit`.

Nothing differs. The data comes from PyTorch's `DataLoader`, which by default loads in the main
process.
"""

import warnings

from benchmarks.peers import steady_seconds, torch_layers, without_log

PACKAGE = "lightning"


def epoch_seconds(sizes, activations, x, batch_size, rate, epochs):
    """See `benchmarks.peers`."""
    import lightning
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    class Network(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.Sequential(*torch_layers(sizes, activations))

        def training_step(self, batch, _):
            (images,) = batch
            return torch.nn.functional.mse_loss(self.layers(images), images)

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=rate)

    def fit(x, epochs):
        data = DataLoader(TensorDataset(torch.tensor(x)), batch_size, shuffle=True)
        trainer = lightning.Trainer(
            accelerator="cpu",
            devices=1,
            max_epochs=epochs,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(Network(), data)

    with without_log(), warnings.catch_warnings():
        # The data is in memory, so that workers would only cost time.
        warnings.filterwarnings("ignore", ".*does not have many workers")
        # Lightning uses an API that PyTorch has deprecated.
        warnings.filterwarnings("ignore", r".*isinstance\(treespec, LeafSpec", FutureWarning)
        return steady_seconds(fit, x, batch_size, epochs)
