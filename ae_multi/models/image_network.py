"""Base class of networks from images to maps of the same size."""

from typing import Any

from ae_multi import training
from ae_multi._keras import keras
from ae_multi.models.base import BaseModel
from ae_multi.models.inputs import is_array_like


class ImageNetwork(BaseModel):
    """Base class of models that wrap one functional network and train on (input, target) pairs.

    A subclass sets ``network`` and implements `_pairs`, which converts inputs and targets to
    valid arrays or raises `InputError`.

    Attributes:
        arguments: names of the constructor arguments other than ``input_shape``.
        network: the functional `keras.Model`.
    """

    arguments: tuple[str, ...]
    network: keras.Model

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Mark the model as built; the constructor has created all weights."""
        self.built = True

    def evaluate(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Evaluate as `ae_multi.evaluate`, with inputs and targets as in `fit`.

        Returns:
            The loss, or a list of loss and metrics; a dict by name if ``return_dict`` is True.
        """
        if "_use_cached_eval_dataset" in kwargs:  # the call comes from Keras's own `fit`
            return super().evaluate(x, y, *args, **kwargs)
        if is_array_like(x):
            x, y = self._pairs(x, y)
        return training.evaluate(self, x, y, *args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        config = {**keras.Model.get_config(self), "input_shape": self.network.input_shape[1:]}
        return {**config, **{name: getattr(self, name) for name in self.arguments}}
