"""Autoencoders written once in Keras 3 that run, and agree, on PyTorch, TensorFlow and JAX.

Public names are imported on first access, so ``import ae_multi`` loads no framework and
``KERAS_BACKEND`` can still be set afterwards. ``keras.saving.load_model`` finds the classes of the
package without further imports.
"""

import importlib
from typing import Any

from ae_multi import _jit_compile, _keras_registry

__version__ = "0.1.0"

# The module that defines each public name.
_HOME = {
    "Autoencoder": "ae_multi.models",
    "ConvAutoencoder": "ae_multi.models",
    "SimpleAutoencoder": "ae_multi.models",
    "DeepAutoencoder": "ae_multi.models",
    "DenoisingAutoencoder": "ae_multi.models",
    "SparseAutoencoder": "ae_multi.models",
    "ContractiveAutoencoder": "ae_multi.models",
    "VariationalAutoencoder": "ae_multi.models",
    "VectorQuantizedAutoencoder": "ae_multi.models",
    "RestorationNetwork": "ae_multi.models",
    "SegmentationNetwork": "ae_multi.models",
    "StructuralSimilarity": "ae_multi.models",
    "load_model": "ae_multi.models",
    "AnomalyDetector": "ae_multi.estimators",
    "AutoencoderTransformer": "ae_multi.estimators",
    "Denoiser": "ae_multi.estimators",
    "Segmenter": "ae_multi.estimators",
    "TablePreprocessor": "ae_multi.estimators",
    "TimeSeriesDetector": "ae_multi.estimators",
    "load_estimator": "ae_multi.estimators",
    "make_preprocessor": "ae_multi.estimators",
    "from_jax": "ae_multi.interop",
    "from_keras": "ae_multi.interop",
    "from_torch": "ae_multi.interop",
    "load_safetensors": "ae_multi.interop",
    "save_safetensors": "ae_multi.interop",
    "to_jax": "ae_multi.interop",
    "to_keras": "ae_multi.interop",
    "to_torch": "ae_multi.interop",
    "compare_with_pca": "ae_multi.baselines",
    "evaluate": "ae_multi.training",
    "export": "ae_multi.exporting.export",
    "fit": "ae_multi.training",
    "predict": "ae_multi.training",
    "Dataset": "ae_multi.data",
    "load_data": "ae_multi.data",
    "source": "ae_multi.data.open_source",
    "BackendError": "ae_multi.errors",
    "DivergenceError": "ae_multi.errors",
    "ExportError": "ae_multi.errors",
    "InputError": "ae_multi.errors",
}
_SUBPACKAGES = (
    "backends",
    "checkpoints",
    "compare",
    "data",
    "estimators",
    "exporting",
    "interop",
    "models",
    "parity",
    "randomness",
    "report",
    "tasks",
    "training",
    "workers",
)

__all__ = [*_HOME, *_SUBPACKAGES, "__version__"]

_keras_registry.install()
_jit_compile.install()


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    if name in _SUBPACKAGES:
        return importlib.import_module(f"ae_multi.{name}")
    raise AttributeError(f"module 'ae_multi' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
