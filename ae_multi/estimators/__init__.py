"""Autoencoders with the scikit-learn API: `fit`, `transform`, `predict`, `score_samples`."""

from ae_multi.estimators.denoiser import Denoiser
from ae_multi.estimators.detector import AnomalyDetector
from ae_multi.estimators.file_format import load_estimator
from ae_multi.estimators.preprocessing import TablePreprocessor, make_preprocessor
from ae_multi.estimators.segmenter import Segmenter
from ae_multi.estimators.transformer import AutoencoderTransformer

__all__ = [
    "AnomalyDetector",
    "AutoencoderTransformer",
    "Denoiser",
    "Segmenter",
    "TablePreprocessor",
    "load_estimator",
    "make_preprocessor",
]
