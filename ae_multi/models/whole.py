"""A model that is asked about whole arrays."""

from ae_multi import training
from ae_multi.models.inputs import is_stream
from ae_multi.models.saving import Portable


class WholeArrays(Portable):
    """A portable model whose own `_check` makes of inputs an array that fits it, or raises."""

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """As `keras.Model.predict`."""
        x = self._check(x)
        if is_stream(x) or steps is not None or callbacks is not None:
            return super().predict(x, batch_size, verbose, steps, callbacks)
        return training.predict(self, x, batch_size, verbose)
