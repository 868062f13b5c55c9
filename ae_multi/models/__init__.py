"""Autoencoders in Keras 3, one family a file; nothing here knows which framework runs them."""

from ae_multi.models.autoencoder import Autoencoder
from ae_multi.models.conv import ConvAutoencoder
from ae_multi.models.deep import DeepAutoencoder
from ae_multi.models.saving import load_model
from ae_multi.models.simple import SimpleAutoencoder

__all__ = [
    "Autoencoder",
    "ConvAutoencoder",
    "DeepAutoencoder",
    "SimpleAutoencoder",
    "load_model",
]
