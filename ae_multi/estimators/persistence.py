"""A fitted estimator's ways to another process: a file, a graph that others run, pickle."""

from sklearn.utils.validation import check_is_fitted

from ae_multi.estimators import file_format, packing
from ae_multi.estimators import graph as graphs
from ae_multi.estimators.inputs import take
from ae_multi.exporting.export import export_graph


class PersistenceMixin:
    """What `NetworkEstimator` has of this; methods with an underscore are for classes to change."""

    def save(self, path):
        """Write the fitted estimator to one file, without pickle, for any backend.

        Raises:
            NotFittedError: before `fit`.
            InputError: a path that cannot be written, or parameters that are no plain values.
        """
        check_is_fitted(self)
        file_format.save(self, path)

    def export(self, path, format=None, *, part="model", data=None, pythons=None):
        """Write all that the fitted estimator does as one graph, in a format that others run.

        Its input is a batch of samples as `fit` took them, as float32 of shape
        (n, *sample_shape_) and not checked any more; its outputs have names: "reconstruction",
        "score" and "label" for a detector, "probabilities" and "label" for a segmenter, and
        "reconstruction" for others.

        Args:
            path: where it goes; see `ae_multi.export`.
            format: "onnx", "torch", "savedmodel", "litert", "openvino" or "stablehlo".
            part: "model"; "encoder", from samples to their "codes"; "decoder", from there on.
            data: samples to compare the file with the estimator on.
            pythons: dict of backend to an interpreter that has it.

        Returns:
            An `ae_multi.exporting.check.Export`.

        Raises:
            NotFittedError: before `fit`.
            InputError, ExportError: as `ae_multi.export`.
        """
        check_is_fitted(self)
        if data is not None:
            data = take(self, data, reset=False)
        graph = graphs.graph_of(self, part)
        return export_graph(graph, path, format, part=part, data=data, pythons=pythons)

    @classmethod
    def load(cls, path):
        """Read an estimator of this class that `save` wrote, on whichever backend runs now.

        Raises:
            InputError: a file that is cut short, altered, newer, or of another class.
        """
        return file_format.load(path, cls)

    def __getstate__(self):
        return packing.packed(super().__getstate__())

    def __setstate__(self, state):
        super().__setstate__(packing.unpacked(state))

    def _graph_outputs(self, scaled, outputs):
        """The outputs of an exported graph, a dict, from scaled samples and the network's."""
        return {"reconstruction": graphs.unscaled_by(self, outputs)}

    def _expected_outputs(self, scaled):
        """The same of scaled samples by the estimator itself, a dict of arrays."""
        return {"reconstruction": self._unscaled(self._outputs(scaled))}

    def _sizes(self, expected):
        """What differences of a graph's outputs are measured by, where not by their largest."""
        return {}

    def _decided(self, expected, rounding):
        """Which integers of a graph's outputs rounding leaves as they are: dict of masks."""
        return {}
