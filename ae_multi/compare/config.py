"""Configurations of a training and of a comparison, as plain values."""

import math
from dataclasses import asdict, dataclass, field

from ae_multi.errors import InputError
from ae_multi.randomness.streams import check_seed
from ae_multi.subprocesses.interpreters import Interpreters
from ae_multi.validation import check_positive

# The models that are compared between backends, and all that can be trained.
MODELS = {"simple": "SimpleAutoencoder", "deep": "DeepAutoencoder"}
ALL_MODELS = {
    **MODELS,
    "conv": "ConvAutoencoder",
    "denoising": "DenoisingAutoencoder",
    "sparse": "SparseAutoencoder",
    "contractive": "ContractiveAutoencoder",
    "variational": "VariationalAutoencoder",
    "vector_quantized": "VectorQuantizedAutoencoder",
    "restoration": "RestorationNetwork",
    "segmentation": "SegmentationNetwork",
}
_WITHOUT_LATENT_DIM = ("vector_quantized", "restoration", "segmentation")

# Fifteen passes over MNIST's 60,000 images bring both models well below PCA, and so do as many
# steps, 150 passes, over the 6,000 of its sample: DeepAutoencoder .0250 (PCA-9 .0346),
# SimpleAutoencoder .0102 (PCA-32 .0153).
_IMAGES_SEEN = 15 * 60_000
_MAX_EPOCHS = 200


@dataclass(frozen=True)
class TrainingConfig:
    """One training, by Adam on the model's default loss.

    Attributes:
        model: a key of `ALL_MODELS`.
        latent_dim: size of the code, or None for the model's own default.
        epochs: passes over the data, or None for a number that suits the data's size.
        batch_size: samples in a batch.
        learning_rate: Adam's, above 0.
        seed: fixes initial weights and batch order.

    Raises:
        InputError: a value that makes no sense.
    """

    model: str = "deep"
    latent_dim: int | None = None
    epochs: int | None = None
    batch_size: int = 128
    learning_rate: float = 1e-3
    seed: int = 0

    def __post_init__(self):
        if self.model not in ALL_MODELS:
            raise InputError(
                f"Expected model to be one of {', '.join(ALL_MODELS)}. Received: {self.model!r}."
            )
        if self.latent_dim is not None and self.model in _WITHOUT_LATENT_DIM:
            raise InputError(
                f"Expected no latent_dim for {self.model}, which has none. "
                f"Received: {self.latent_dim!r}."
            )
        check_positive(latent_dim=self.latent_dim, epochs=self.epochs, batch_size=self.batch_size)
        if not (self.learning_rate > 0 and math.isfinite(self.learning_rate)):
            raise InputError(
                f"Expected learning_rate above 0 and finite. Received: {self.learning_rate!r}."
            )
        check_seed(self.seed)

    def epochs_for(self, samples):
        """The number of epochs on a training set of ``samples``."""
        if self.epochs is not None:
            return self.epochs
        return max(1, min(_MAX_EPOCHS, math.ceil(_IMAGES_SEEN / samples)))

    def to_json(self):
        """The configuration as a dict of plain values, which ``TrainingConfig(**values)`` takes."""
        return asdict(self)


@dataclass(frozen=True)
class CompareConfig:
    """One comparison.

    Attributes:
        configs: the trainings, each to be done on every backend.
        backends: names, in the order to run; None for every one that is installed.
        pythons: interpreters for backends that live in environments of their own; the others
            run in this one.
        data: the name of a data set, as `load_data` takes it.
        path: where MNIST lies, or None.
        first_steps: how many single losses to compare.
        spread_runs: how many repetitions, perturbed by rounding, measure the spread: at least 2,
            or 0 to leave the final test MSE unjudged.
        plans: whether to train by every plan of each backend, and not by the one that `fit`
            chooses.

    Raises:
        InputError: a number below 1 (for ``spread_runs`` below 0, or 1), or a model or a backend
            named twice.
        BackendError: a backend that is unknown.
    """

    configs: tuple = (TrainingConfig("simple"), TrainingConfig("deep"))
    backends: tuple | None = None
    pythons: dict = field(default_factory=dict)
    data: str = "auto"
    path: str | None = None
    first_steps: int = 20
    spread_runs: int = 6
    plans: bool = False

    def __post_init__(self):
        check_positive(first_steps=self.first_steps, spread_runs=self.spread_runs + 1)
        if self.spread_runs == 1:
            raise InputError(
                "Expected spread_runs of at least 2, or 0: one repetition has no spread. "
                "Received: 1."
            )
        models = [config.model for config in self.configs]
        if len(set(models)) < len(models):
            raise InputError(f"Expected each model once. Received: {', '.join(models)}.")
        _ = self.interpreters

    @property
    def interpreters(self):
        """The `Interpreters` of the backends."""
        return Interpreters(backends=self.backends, pythons=self.pythons)

    def to_json(self):
        """The settings as plain values, without this machine's interpreters."""
        return {
            "recipes": [config.to_json() for config in self.configs],
            "first_steps": self.first_steps,
            "spread_runs": self.spread_runs,
            "plans": self.plans,
            "data": self.data,
        }
