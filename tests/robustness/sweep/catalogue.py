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

# Public classes that are not covered, and the reason.
EXCEPTIONS = {
    **dict.fromkeys(("Layer", "Wrapper"), "a base class that computes nothing"),
    "InputLayer": "computes nothing, and begins every model of the sweep",
    "Lambda": "has no computation of its own",
    **dict.fromkeys(("FlaxLayer", "JaxLayer"), "made for JAX alone"),
    "TorchModuleWrapper": "made for PyTorch alone",
    "TFSMLayer": "made for TensorFlow alone",
    **dict.fromkeys(("StringLookup", "TextVectorization"), "takes strings, not tensors"),
    **dict.fromkeys(
        ("Hashing", "HashedCrossing", "IntegerLookup"),
        "computes in TensorFlow on every backend, and raises where that is not installed",
    ),
    "Equalization": "returns its symbolic input as its output; no functional model contains it",
    "RandomCrop": "returns different shapes in training and inference, and no targets fit both",
    "RandomElasticTransform": "does not use Keras's random functions",
    "MaxNumBoundingBoxes": "pads bounding boxes",
    **dict.fromkeys(
        ("MixUp", "CutMix", "AugMix"),
        "draws beta or gamma random numbers, which differ on every backend",
    ),
    "RandAugment": "chooses among covered layers by a shuffle that differs between backends",
}


class Draw:
    """Random choices for one class of layer, a function of seed and round."""

    def __init__(self, layer, seed, round_):
        self.layer = layer
        self._bits = stream(seed, f"sweep/{layer}", round_)

    def of(self, *choices):
        """Return one of the choices."""
        return choices[int(self._bits.random_raw()) % len(choices)]

    def two_of(self, *choices):
        """Return two different choices as a tuple."""
        return self.of(*permutations(choices, 2))


def configurations(seed, round_, layers=None):
    """Return the list of `Configuration` of one round.

    Args:
        seed: integer.
        round_: number of the round.
        layers: names of the classes, or None for all covered ones.
    """
    functions = DRAWS if layers is None else {name: DRAWS[name] for name in layers}
    return [
        configuration
        for name, draw_configurations in functions.items()
        for configuration in draw_configurations(Draw(name, seed, round_))
    ]
