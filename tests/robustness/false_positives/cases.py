"""Models without faults, and their data."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ae_multi.randomness.streams import stream, uniform

SAMPLES = 256
_TESTS = Path(__file__).parents[2]


@dataclass(frozen=True)
class Case:
    """One model without faults.

    Attributes:
        build: location of its build function, as for `ae_multi.parity.check`.
        shapes: shape of one sample of each input.
        words: number of words of each integer input; inputs without an entry are real numbers.
        classes: number of classes of the first target; None for the default targets of `check`.
        steps: number of training steps to compare.
    """

    build: str
    shapes: tuple
    words: tuple = ()
    classes: int | None = None
    steps: int = 20

    def data(self, seed):
        """Return (inputs, targets or None), lists of arrays drawn from the seed."""
        xs = [
            integers(seed, f"words/{place}", (SAMPLES, *shape), self.words[place])
            if place < len(self.words)
            else uniform(seed, f"data/{place}", (SAMPLES, *shape))
            for place, shape in enumerate(self.shapes)
        ]
        if self.classes is None:
            return xs, None
        return xs, [integers(seed, "classes", (SAMPLES, 1), self.classes), xs[-1]]


def integers(seed, purpose, shape, count):
    """Return int32 integers from 0 to ``count`` - 1, drawn from the seed."""
    bits = stream(seed, purpose).random_raw(int(np.prod(shape)))
    return (bits % np.uint64(count)).astype(np.int32).reshape(shape)


def _here(function):
    return f"{Path(__file__).with_name('models.py')}:{function}"


CASES = {
    "SimpleAutoencoder": Case("ae_multi.models:SimpleAutoencoder", ((28, 28, 1),)),
    "DeepAutoencoder": Case("ae_multi.models:DeepAutoencoder", ((28, 28, 1),)),
    "target_model": Case(
        f"{_TESTS / 'robustness/fault_injection/target_model.py'}:build", ((16, 16, 1),)
    ),
    "two_inputs": Case(f"{_TESTS / 'reference' / 'keras_models.py'}:two_inputs", ((8, 8, 2), (5,))),
    "convolutional": Case(_here("convolutional"), ((16, 16, 1),), steps=6),
    "separable": Case(_here("separable"), ((16, 16, 2),), steps=6),
    "pooled": Case(_here("pooled"), ((16, 16, 3),), steps=6),
    "inverted_residual": Case(_here("inverted_residual"), ((16, 16, 3),), steps=6),
    "recurrent": Case(_here("recurrent"), ((10, 4),), steps=6),
    "both_ways": Case(_here("both_ways"), ((8, 5),), steps=6),
    "attention": Case(_here("attention"), ((9, 16),), steps=6),
    "embedded": Case(_here("embedded"), ((6,), (5,)), words=(40,), classes=7),
    "noisy": Case(_here("noisy"), ((12, 12, 2),)),
    "smooth": Case(_here("smooth"), ((30,),)),
    "regularized": Case(_here("regularized"), ((40,),)),
    "by_sign": Case(_here("by_sign"), ((40,),)),
    "by_median": Case(_here("by_median"), ((40,),)),
    "adaptive": Case(_here("adaptive"), ((40,),)),
    "followed": Case(_here("followed"), ((30,),)),
    "variational": Case(_here("variational"), ((36,),)),
    "subclassed": Case(_here("subclassed"), ((20,),)),
    "shared": Case(_here("shared"), ((32,),)),
}
