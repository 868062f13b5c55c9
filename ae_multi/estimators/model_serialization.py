"""Serialization of estimators' values: JSON, and arrays and Keras models as archive members."""

from typing import Any

from ae_multi._keras import keras
from ae_multi.estimators.packing import from_bytes, to_bytes
from ae_multi.io.serialization import PartsReader, PartsWriter


class EstimatorWriter(PartsWriter):
    """A `PartsWriter` that also writes Keras models."""

    holds = "numbers, text or a Keras model"

    def plain(self, value: Any, name: str) -> Any:
        """Return ``value`` as a JSON value; see `PartsWriter.plain`."""
        if isinstance(value, keras.Model):
            return {"model": self.part("models", "keras", to_bytes(value))}
        return super().plain(value, name)


class EstimatorReader(PartsReader):
    """Reader of the values that an `EstimatorWriter` wrote."""

    def kind(self, kind: str, held: Any) -> Any:
        """Return the value of a kind that JSON has no type for; see `PartsReader.kind`."""
        return from_bytes(self.held(held)) if kind == "model" else super().kind(kind, held)
