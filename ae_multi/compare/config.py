"""Configuration of a training and of a comparison."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ae_multi.argument_checks import check_positive
from ae_multi.errors import InputError
from ae_multi.randomness.streams import check_seed
from ae_multi.subprocesses.interpreters import Interpreters

# Class names of the models that are compared between backends, and of all that can be trained.
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

# Fifteen epochs on MNIST's 60,000 images bring both models well below PCA. So does the same number
# of steps, 150 epochs, on the sample of 6,000 images. Test MSE: DeepAutoencoder .0250 (PCA-9
# .0346), SimpleAutoencoder .0102 (PCA-32 .0153).
_IMAGES_SEEN = 15 * 60_000
_MAX_EPOCHS = 200


@dataclass(frozen=True)
class TrainingConfig:
    """Configuration of one training with Adam and the model's default loss.

    Attributes:
        model: a key of `ALL_MODELS`.
        latent_dim: size of the code, or None for the model's default.
        epochs: number of epochs, or None to derive it from the number of samples.
        batch_size: samples per batch.
        learning_rate: learning rate of Adam, above 0.
        seed: seed of the initial weights and the batch order.

    Raises:
        InputError: a value is out of range.
    """

    model: str = "deep"
    latent_dim: int | None = None
    epochs: int | None = None
    batch_size: int = 128
    learning_rate: float = 1e-3
    seed: int = 0

    def __post_init__(self) -> None:
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

    def epochs_for(self, samples: int) -> int:
        """Return the number of epochs for a training set of ``samples`` samples."""
        if self.epochs is not None:
            return self.epochs
        return max(1, min(_MAX_EPOCHS, math.ceil(_IMAGES_SEEN / samples)))

    def to_json(self) -> dict[str, Any]:
        """Return the configuration as a dict; ``TrainingConfig(**values)`` restores it."""
        return asdict(self)


@dataclass(frozen=True)
class CompareConfig:
    """Configuration of a comparison.

    Attributes:
        configs: trainings to run on every backend.
        backends: backend names in the order to run; None for every installed one.
        pythons: dict of backend to interpreter, for backends that are installed in other
            environments; the other backends run in this interpreter.
        data: name of a data set, as in `load_data`.
        path: folder of MNIST's IDX files, or an ``mnist.npz``; or None.
        first_steps: number of single-step losses to compare.
        spread_runs: number of repetitions, perturbed by rounding, that measure the spread of the
            final test MSE: at least 2, or 0 to exclude the final test MSE from the verdict.
        plans: whether to train with every plan of each backend instead of the one that `fit`
            selects.

    Raises:
        InputError: a number below 1 (``spread_runs``: below 0, or 1), a model or a backend is
            named twice, or a backend is unknown.
    """

    configs: tuple[TrainingConfig, ...] = (TrainingConfig("simple"), TrainingConfig("deep"))
    backends: tuple[str, ...] | None = None
    pythons: Mapping[str, str] = field(default_factory=dict)
    data: str = "auto"
    path: str | None = None
    first_steps: int = 20
    spread_runs: int = 6
    plans: bool = False

    def __post_init__(self) -> None:
        if self.spread_runs < 0 or self.spread_runs == 1:
            raise InputError(
                "Expected spread_runs of at least 2, or 0: one repetition has no spread. "
                f"Received: {self.spread_runs}."
            )
        check_positive(first_steps=self.first_steps, spread_runs=self.spread_runs + 1)
        models = [config.model for config in self.configs]
        if len(set(models)) < len(models):
            raise InputError(f"Expected each model once. Received: {', '.join(models)}.")
        _ = self.interpreters  # checks the names of the backends

    @property
    def interpreters(self) -> Interpreters:
        """The `Interpreters` of the backends."""
        return Interpreters(backends=self.backends, pythons=self.pythons)

    def to_json(self) -> dict[str, Any]:
        """Return the configuration as a dict, without the paths of interpreters and data."""
        return {
            "recipes": [config.to_json() for config in self.configs],
            "first_steps": self.first_steps,
            "spread_runs": self.spread_runs,
            "plans": self.plans,
            "data": self.data,
        }
