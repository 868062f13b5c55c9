"""Persistence of fitted estimators: files, exported graphs and pickles."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from ae_multi.estimators import file_format, packing
from ae_multi.estimators import graph as graphs
from ae_multi.estimators.inputs import take
from ae_multi.exporting.export import export_graph

if TYPE_CHECKING:
    from ae_multi.exporting.check import Export


class PersistenceMixin:
    """Mixin of `NetworkEstimator` that saves, exports and pickles fitted estimators.

    Subclasses override the private methods if their graphs have other outputs.
    """

    def save(self: Any, path: os.PathLike[str] | str) -> None:
        """Write the fitted estimator to one file, without pickle, readable by every backend.

        Args:
            path: file to write.

        Raises:
            NotFittedError: the estimator is not fitted.
            InputError: a path that cannot be written, or parameters that are not numbers, text,
                arrays or Keras models.
        """
        check_is_fitted(self)
        file_format.save(self, path)

    def export(
        self: Any,
        path: os.PathLike[str] | str,
        format: str | None = None,
        *,
        part: str = "model",
        data: ArrayLike | None = None,
        pythons: Mapping[str, str] | None = None,
    ) -> Export:
        """Export the fitted estimator, scaling included, as one graph for other runtimes.

        The input is a batch of unscaled samples: float32 of shape (n, *sample_shape_), not
        validated. A detector with a preprocessor takes
        ``detector.preprocessor_.transform(frame)``. The outputs have names: "reconstruction",
        "score" and "label" for a detector, "probabilities" and "label" for a segmenter, and
        "reconstruction" for other estimators.

        Args:
            path: file to write; see `ae_multi.export`.
            format: "onnx", "torch", "savedmodel", "litert", "openvino" or "stablehlo"; see
                `ae_multi.export` for None.
            part: "model"; "encoder", from samples to "codes"; or "decoder", from codes to
                "reconstruction".
            data: samples on which the file is compared with the estimator.
            pythons: dict from backend to the Python interpreter of an environment that has it.

        Returns:
            An `ae_multi.exporting.check.Export`.

        Raises:
            NotFittedError: the estimator is not fitted.
            InputError, ExportError: as `ae_multi.export`.
        """
        check_is_fitted(self)
        if data is not None:
            data = take(self, data, reset=False)
        graph = graphs.graph_of(self, part)
        return export_graph(graph, path, format, part=part, data=data, pythons=pythons)

    @classmethod
    def load(cls, path: os.PathLike[str] | str) -> Self:
        """Read an estimator of this class that `save` wrote, for the current backend.

        Args:
            path: file to read. Loading never executes code.

        Returns:
            The fitted estimator.

        Raises:
            InputError: a file that is truncated, altered, of a newer format, or of another class.
        """
        return file_format.load(path, cls)

    def __getstate__(self):
        return packing.packed(super().__getstate__())

    def __setstate__(self, state):
        super().__setstate__(packing.unpacked(state))

    # Overridden by subclasses with other outputs.

    def _graph_outputs(self, scaled, outputs):
        """Return the outputs of the exported graph by name.

        Args:
            scaled: scaled samples, a symbolic tensor.
            outputs: outputs of the network for them, a symbolic tensor.
        """
        return {"reconstruction": graphs.unscaled_by(self, outputs)}

    def _expected_outputs(self, scaled):
        """Return the same outputs, computed by the estimator: dict of arrays."""
        return {"reconstruction": self._unscaled(self._outputs(scaled))}

    def _sizes(self, expected: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Return the scale of errors of each output for which it is not the largest value."""
        return {}

    def _decided(
        self, expected: Mapping[str, np.ndarray], rounding: float
    ) -> dict[str, np.ndarray]:
        """Return for each integer output a mask of the values that rounding cannot change."""
        return {}
