"""Training, evaluation and prediction with any compiled Keras model, at the framework's speed."""

from ae_multi.training.fit import fit
from ae_multi.training.inference import evaluate, predict

__all__ = ["evaluate", "fit", "predict"]
