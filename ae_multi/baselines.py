"""A trained autoencoder beside the standard baselines: PCA and the mean of the training data."""

import warnings
from dataclasses import dataclass

import numpy as np

from ae_multi.data.checks import check_array
from ae_multi.data.floors import mean_error, pca_errors
from ae_multi.errors import InputError
from ae_multi.recipes.quality import squared_errors


@dataclass(frozen=True)
class BaselineComparison:
    """Mean squared errors on the same test samples. Printed, it is a table.

    Attributes:
        model: class name of the model.
        components: size of the model's code, and the number of principal components.
        model_mse: test MSE of the model.
        pca_mse: test MSE of PCA with as many components.
        mean_mse: test MSE of predicting the mean of the training samples.
    """

    model: str
    components: int
    model_mse: float
    pca_mse: float
    mean_mse: float

    @property
    def is_better(self):
        """Whether the model's error is below that of both baselines."""
        return self.model_mse < min(self.pca_mse, self.mean_mse)

    def __str__(self):
        rows = {
            self.model: self.model_mse,
            f"PCA-{self.components}": self.pca_mse,
            "mean of the training data": self.mean_mse,
        }
        width = max(map(len, rows))
        return "\n".join(
            [f"{'':{width}}  test MSE", *(f"{name:{width}}  {e:8.5f}" for name, e in rows.items())]
        )


def compare_with_pca(model, x_train, x_test):
    """Compare a model's reconstructions with PCA's of as many components and with the mean.

    Warns with a ``UserWarning`` if the model is not better than both: then a linear model, or a
    constant, does the same job.

    Args:
        model: an `Autoencoder`, or a fitted estimator that has ``transform`` and ``reconstruct``.
        x_train: the samples that the model was trained on, shape (n, ...).
        x_test: other samples of the same shape.

    Returns:
        A `BaselineComparison`. PCA's reconstructions are clipped to [0, 1] where all training
        samples lie within.

    Raises:
        InputError: a model without a code, or samples that are not finite numbers of one shape.
    """
    name = type(model).__name__
    encode = getattr(model, "encode", None) or getattr(model, "transform", None)
    if encode is None or not hasattr(model, "reconstruct"):
        raise InputError(
            "Expected a model with a code, an Autoencoder or an AutoencoderTransformer. "
            f"Received: {name}."
        )
    train = check_array(x_train, "x_train")
    test = check_array(x_test, "x_test", train.shape[1:])
    # The model gets what the caller has: an estimator of a data frame expects its column names.
    restored = np.asarray(model.reconstruct(x_test))
    components = int(np.prod(np.shape(encode(x_test[:1]))[1:]))
    clip = train.min() >= 0 and train.max() <= 1
    found = BaselineComparison(
        model=name,
        components=components,
        model_mse=float(np.mean(squared_errors(test, restored))),
        pca_mse=pca_errors(train, test, [components], clip)[components],
        mean_mse=mean_error(train, test),
    )
    if not found.is_better:
        pca = found.pca_mse <= found.mean_mse
        baseline = f"PCA-{components}" if pca else "the mean of the training data"
        warnings.warn(
            f"{name} has a test MSE of {found.model_mse:.5f}, which is not better than "
            f"{min(found.pca_mse, found.mean_mse):.5f} of {baseline}. "
            "Train it for more epochs, or with another learning rate.",
            stacklevel=2,
        )
    return found
