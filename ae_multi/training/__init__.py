"""Training any compiled Keras model at the speed of its framework: `fit` and whole arrays."""

from ae_multi.training.fit import fit
from ae_multi.training.inference import evaluate, predict

__all__ = ["evaluate", "fit", "predict"]
