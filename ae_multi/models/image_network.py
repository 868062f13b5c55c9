"""What networks from images to maps of their size have in common."""

from ae_multi import training
from ae_multi._keras import keras
from ae_multi.models.base import BaseModel
from ae_multi.models.inputs import is_array_like


class ImageNetwork(BaseModel):
    """A model that is one functional network, ``network``, and learns from pairs.

    A class of it has `_pairs`, which makes of inputs and targets arrays that fit, or raises, and
    ``arguments``, the names of its arguments beside the shape of an image.
    """

    def build(self, input_shape):
        """Nothing is left to make: the network has its weights."""
        self.built = True

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """As `ae_multi.evaluate`, of inputs and targets as `fit` takes them."""
        if "_use_cached_eval_dataset" in kwargs:  # Keras's own `fit` asks like this
            return super().evaluate(x, y, *args, **kwargs)
        if is_array_like(x):
            x, y = self._pairs(x, y)
        return training.evaluate(self, x, y, *args, **kwargs)

    def get_config(self):
        """The arguments, for saving."""
        config = {**keras.Model.get_config(self), "input_shape": self.network.input_shape[1:]}
        return {**config, **{name: getattr(self, name) for name in self.arguments}}
