"""Autoencoders in Keras 3, one family per file, independent of the backend."""

from ae_multi.models.autoencoder import Autoencoder
from ae_multi.models.contractive import ContractiveAutoencoder
from ae_multi.models.conv import ConvAutoencoder
from ae_multi.models.deep import DeepAutoencoder
from ae_multi.models.denoising import DenoisingAutoencoder
from ae_multi.models.loading import load_model
from ae_multi.models.losses import PixelCrossEntropy, StructuralSimilarity, ssim
from ae_multi.models.restoration import RestorationNetwork
from ae_multi.models.segmentation import SegmentationNetwork
from ae_multi.models.simple import SimpleAutoencoder
from ae_multi.models.sparse import SparseAutoencoder
from ae_multi.models.variational import VariationalAutoencoder
from ae_multi.models.vector_quantized import VectorQuantizedAutoencoder

__all__ = [
    "Autoencoder",
    "ContractiveAutoencoder",
    "ConvAutoencoder",
    "DeepAutoencoder",
    "DenoisingAutoencoder",
    "PixelCrossEntropy",
    "RestorationNetwork",
    "SegmentationNetwork",
    "SimpleAutoencoder",
    "SparseAutoencoder",
    "StructuralSimilarity",
    "VariationalAutoencoder",
    "VectorQuantizedAutoencoder",
    "load_model",
    "ssim",
]
