"""An estimator's values as JSON with arrays and Keras models as parts beside it, and back."""

from ae_multi._keras import keras
from ae_multi.estimators.packing import from_bytes, to_bytes
from ae_multi.io.serialization import PartsReader, PartsWriter


class EstimatorWriter(PartsWriter):
    """A `PartsWriter` that knows Keras models, too."""

    holds = "numbers, text or a Keras model"

    def plain(self, value, name):
        """``value`` as JSON knows it, see `PartsWriter.plain`."""
        if isinstance(value, keras.Model):
            return {"model": self.part("models", "keras", to_bytes(value))}
        return super().plain(value, name)


class EstimatorReader(PartsReader):
    """The way back from what a `EstimatorWriter` made."""

    def kind(self, kind, held):
        """The value of one kind that JSON does not know."""
        return from_bytes(self.held(held)) if kind == "model" else super().kind(kind, held)
