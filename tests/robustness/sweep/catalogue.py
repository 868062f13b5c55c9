"""Layers that a sweep covers, exceptions, and the configurations of one round."""

from itertools import permutations

from ae_multi.randomness.streams import stream
from tests.robustness.sweep.families import basic, normalising, preprocessing, sequences, spatial

DRAWS = {
    **basic.DRAWS,
    **spatial.DRAWS,
    **normalising.DRAWS,
    **sequences.DRAWS,
    **preprocessing.DRAWS,
}

# Public classes that are not covered, and why.
EXCEPTIONS = {
    **dict.fromkeys(("Layer", "Wrapper"), "a base class that computes nothing"),
    "InputLayer": "computes nothing, and begins every model of the sweep",
    "Lambda": "computes what it is given",
    **dict.fromkeys(("FlaxLayer", "JaxLayer"), "made for JAX alone"),
    "TorchModuleWrapper": "made for PyTorch alone",
    "TFSMLayer": "made for TensorFlow alone",
    **dict.fromkeys(("StringLookup", "TextVectorization"), "takes strings, which are no tensors"),
    **dict.fromkeys(
        ("Hashing", "HashedCrossing", "IntegerLookup"),
        "computes in TensorFlow on every backend, and raises where that is not installed",
    ),
    "Equalization": "is its own input to Keras's graph, so that no functional model can hold it",
    "RandomCrop": "gives another shape in training than in use, and no targets fit both",
    "RandomElasticTransform": "draws its numbers past Keras's own random functions",
    "MaxNumBoundingBoxes": "takes bounding boxes, and pads them",
    **dict.fromkeys(
        ("MixUp", "CutMix", "AugMix"),
        "asks for beta or gamma numbers, which no two backends draw alike",
    ),
    "RandAugment": "chooses among layers that are covered, by a shuffle that differs",
}


class Draw:
    """Random choices for one class of layer, the same for the same seed and round."""

    def __init__(self, layer, seed, round_):
        self.layer = layer
        self._bits = stream(seed, f"sweep/{layer}", round_)

    def of(self, *choices):
        """Draw one of the choices."""
        return choices[int(self._bits.random_raw()) % len(choices)]

    def two_of(self, *choices):
        """Draw two different choices."""
        return self.of(*permutations(choices, 2))


def configurations(seed, round_, layers=None):
    """List of `Configuration` of one round, of all covered classes or of some."""
    chosen = DRAWS if layers is None else {name: DRAWS[name] for name in layers}
    return [
        configuration
        for name, drawing in chosen.items()
        for configuration in drawing(Draw(name, seed, round_))
    ]
