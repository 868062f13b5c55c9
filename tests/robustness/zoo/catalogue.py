"""The architectures of the zoo, and their data."""

from dataclasses import dataclass
from pathlib import Path

from ae_multi.randomness.streams import uniform
from tests.robustness.false_positives.cases import Case, integers
from tests.robustness.zoo import random_models

# Random models are compared over fewer steps than the architectures.
_RANDOM_STEPS = 6
_FOLDER = Path(__file__).parent
_WORDS, _SENTENCE, _IMAGE = 50, (12,), (32, 32, 3)
# These have their full size and take minutes.
LARGE = ("mobilenet_v2", "efficientnet_b0", "resnet50_v2")
_SAMPLES = 64


@dataclass(frozen=True)
class Architecture(Case):
    """One architecture of the zoo, whose target, if it has classes, is one array of labels."""

    def data(self, seed):
        """Return (inputs, targets or None), lists of arrays drawn from the seed."""
        words = (*self.words, *[None] * len(self.shapes))
        xs = [
            uniform(seed, f"data/{place}", (_SAMPLES, *shape))
            if words[place] is None
            else integers(seed, f"words/{place}", (_SAMPLES, *shape), words[place])
            for place, shape in enumerate(self.shapes)
        ]
        if self.classes is None:
            return xs, None
        return xs, [integers(seed, "classes", (_SAMPLES, 1), self.classes)]


def _case(module, name, *shapes, **kwargs):
    return Architecture(f"{_FOLDER / module}.py:{name}", shapes, **kwargs)


def random_case(number):
    """Return the case of a random model."""
    drawn = random_models.draw(number)
    return _case(
        "random_models",
        f"random_{number}",
        drawn["shape"],
        words=(random_models.WORDS,) if drawn["kind"] == "words" else (),
        classes=random_models.CLASSES if drawn["loss"].startswith("sparse") else None,
        steps=_RANDOM_STEPS,
    )


def _images(name, side=32):
    return _case("applications", name, (side, side, 3), classes=10)


_OF_32_PIXELS = (
    "resnet", "resnet_v2", "densenet", "mobilenet", "mobilenet_v2_narrow", "mobilenet_v3_small",
    "mobilenet_v3_squeezed", "efficientnet_narrow", "efficientnet_v2", "nasnet", "vgg", "convnext",
    "mobilenet_v2", "efficientnet_b0",
)  # fmt: skip

ZOO = {
    **{name: _images(name) for name in _OF_32_PIXELS},
    "resnet50_v2": _images("resnet50_v2", 64),
    "inception_v3": _images("inception_v3", 75),
    "inception_resnet_v2": _images("inception_resnet_v2", 75),
    "xception": _images("xception", 71),
    "bert": _case("backbones", "bert", _SENTENCE, _SENTENCE, words=(_WORDS, 2), classes=2),
    "gpt2": _case("backbones", "gpt2", _SENTENCE, words=(_WORDS,), classes=_WORDS),
    "llama": _case("backbones", "llama", _SENTENCE, words=(_WORDS,), classes=_WORDS),
    "t5": _case("backbones", "t5", _SENTENCE, _SENTENCE, words=(_WORDS,) * 2, classes=_WORDS),
    "transformer": _case("backbones", "transformer", (16, 32), classes=10),
    "vit": _case("backbones", "vit", _IMAGE, classes=10),
    "mlp_mixer": _case("backbones", "mlp_mixer", _IMAGE, classes=10),
    "segment_anything": _case("backbones", "segment_anything", _IMAGE, (2, 2)),
    "whisper": _case(
        "backbones", "whisper", (24, 20), _SENTENCE, words=(None, _WORDS), classes=_WORDS
    ),
    "diffusion_unet": _case("backbones", "diffusion_unet", (16, 16, 3), (1,)),
    "dense_autoencoder": _case("gallery", "dense_autoencoder", (64,)),
    "convolutional_autoencoder": _case("gallery", "convolutional_autoencoder", (16, 16, 1)),
    "digit_classifier": _case("gallery", "digit_classifier", (28, 28, 1), classes=10),
    "unet": _case("gallery", "unet", (16, 16, 3)),
    "lstm_forecaster": _case("gallery", "lstm_forecaster", (24, 4)),
    "gru_forecaster": _case("gallery", "gru_forecaster", (24, 4)),
    "convlstm": _case("gallery", "convlstm", (5, 8, 8, 1)),
    "sequence_autoencoder": _case("gallery", "sequence_autoencoder", (12, 3)),
    "text_classifier": _case("gallery", "text_classifier", (20,), words=(80,), classes=5),
    "character_rnn": _case("gallery", "character_rnn", (16,), words=(30,), classes=30),
    "siamese": _case("gallery", "siamese", (16, 16, 1), (16, 16, 1)),
    "graph_attention": _case("gallery", "graph_attention", (9, 6), (9, 9)),
    "wavenet": _case("gallery", "wavenet", (64, 1)),
    "pointnet": _case("gallery", "pointnet", (32, 3), classes=10),
    "retinanet_heads": _case("gallery", "retinanet_heads", _IMAGE),
    "variational": _case("gallery", "variational", (16, 16, 1)),
    "discriminator": _case("gallery", "discriminator", (16, 16, 1)),
    "generator": _case("gallery", "generator", (8,)),
    "tagger": _case("gallery", "tagger", (10,), words=(40,)),
    "super_resolution": _case("gallery", "super_resolution", (8, 8, 1)),
    "wide_and_deep": _case("gallery", "wide_and_deep", (12,), (3,), words=(None, 20)),
    "recommender": _case("gallery", "recommender", (1,), (1,), words=(30, 40)),
    "video_classifier": _case("gallery", "video_classifier", (6, 12, 12, 1), classes=10),
    "convmixer": _case("gallery", "convmixer", (16, 16, 3), classes=10),
    "residual_dense": _case("gallery", "residual_dense", (24,)),
}
