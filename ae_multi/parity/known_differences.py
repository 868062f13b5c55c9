"""Known differences between Keras's backends: the entries of ``docs/differences.md``.

For a divergence that matches an entry, the report shows the title, the section of the page and the
advice. A test compares the titles and links with the page.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ae_multi.parity.divergence import Divergence, Stage

PAGE = "docs/differences.md"

# Stands for the class of a layer in a divergence of the loss.
LOSS = "loss"
_FORWARD = ("forward", "training forward")
_TRAINING = ("training forward",)
_GRADIENT = ("gradient",)


@dataclass(frozen=True)
class KnownDifference:
    """One known difference.

    Attributes:
        title: heading in ``docs/differences.md``, with its backticks.
        layers: classes of the layers that it affects.
        backend: backend that differs from the others.
        stages: stages in which it appears first.
        condition: configuration or data with which it appears. A trace does not record it, so it is
            not checked.
        advice: what to do.
        link: report of the difference that the page links to, or "".
        precision: dtype of the layers in which it appears, such as "bfloat16"; "" for all.
    """

    title: str
    layers: tuple[str, ...]
    backend: str
    stages: tuple[str, ...]
    condition: str
    advice: str
    link: str = ""
    precision: str = ""

    @property
    def anchor(self) -> str:
        """Anchor of the heading, as GitHub and MyST make it."""
        return re.sub(r"[^\w\- ]", "", self.title.lower()).replace(" ", "-")

    @property
    def section(self) -> str:
        """Path of the page with the anchor of the heading."""
        return f"{PAGE}#{self.anchor}"

    def to_json(self) -> dict[str, Any]:
        """Return the difference as a JSON-serialisable dict."""
        return {
            "title": self.title,
            "section": self.section,
            "condition": self.condition,
            "advice": self.advice,
            "link": self.link,
        }


KNOWN_DIFFERENCES = (
    KnownDifference(
        "`LayerNormalization` and `RMSNormalization` over an axis that is not the last: PyTorch",
        ("LayerNormalization", "RMSNormalization"),
        "torch",
        _FORWARD,
        "the layer normalises an axis that is not the last",
        "Move the axis to the end (Permute), normalise over axis=-1 and move it back. PyTorch's "
        "own functions always normalise the last axes.",
        "https://github.com/keras-team/keras/pull/23510",
    ),
    KnownDifference(
        '`AveragePooling1D`, `2D` and `3D` with `padding="same"`: PyTorch',
        ("AveragePooling1D", "AveragePooling2D", "AveragePooling3D"),
        "torch",
        _FORWARD,
        'padding="same" adds an odd number of rows or columns',
        'Use padding="valid", or a window and strides for which the padding is even.',
        "https://github.com/keras-team/keras/pull/23233",
    ),
    KnownDifference(
        '`UpSampling2D` and `Resizing` with `interpolation="bicubic"`: PyTorch, and TensorFlow '
        "slightly",
        ("UpSampling2D", "Resizing"),
        "torch",
        _FORWARD,
        'interpolation="bicubic"',
        "Train and run this model on one side: PyTorch interpolates by another kernel than "
        "TensorFlow and JAX, and no setting of the layer changes that.",
        "https://github.com/jax-ml/jax/issues/15768",
    ),
    KnownDifference(
        '`UpSampling2D` and `Resizing` with `interpolation="bicubic"`: PyTorch, and TensorFlow '
        "slightly",
        ("UpSampling2D", "Resizing"),
        "tensorflow",
        _FORWARD,
        'interpolation="bicubic", at a factor other than 2',
        "Enlarge by a factor of 2, at which TensorFlow and JAX agree.",
        "https://github.com/jax-ml/jax/issues/15768",
    ),
    KnownDifference(
        "Gradients through `RandomRotation`, `RandomTranslation`, `RandomZoom`, `RandomShear` and "
        "`RandomPerspective`: TensorFlow",
        (
            "RandomRotation",
            "RandomTranslation",
            "RandomZoom",
            "RandomShear",
            "RandomPerspective",
        ),
        "tensorflow",
        _GRADIENT,
        "layers before it are trained",
        "Apply the layer before the first layer with weights: its outputs agree, only the "
        "gradient for its input differs.",
        "https://github.com/tensorflow/tensorflow/issues/127241",
    ),
    KnownDifference(
        "Gradients through `RandomHue`, `RandomSaturation` and `RandomColorJitter`: TensorFlow",
        ("RandomHue", "RandomSaturation", "RandomColorJitter"),
        "tensorflow",
        _GRADIENT,
        "layers before it are trained",
        "Apply the layer before the first layer with weights: only the gradient for its input is "
        "lost.",
        "https://github.com/tensorflow/tensorflow/issues/21510",
    ),
    KnownDifference(
        'Random layers with `fill_mode="wrap"`: TensorFlow',
        (
            "RandomRotation",
            "RandomTranslation",
            "RandomZoom",
            "RandomShear",
            "RandomElasticTransform",
        ),
        "tensorflow",
        _TRAINING,
        'fill_mode="wrap"',
        'Use another fill_mode, such as "nearest".',
        "https://github.com/keras-team/keras-core/pull/574",
    ),
    KnownDifference(
        "`GroupQueryAttention`, gradients of queries that may attend to nothing: PyTorch",
        ("GroupedQueryAttention", "GroupQueryAttention"),
        "torch",
        _GRADIENT,
        "the mask leaves a query nothing to attend to",
        "Use MultiHeadAttention, which agrees here, or a mask that leaves each query something to "
        "attend to.",
    ),
    KnownDifference(
        "Gradients of `SpectralNormalization`: JAX differs from PyTorch and TensorFlow",
        ("SpectralNormalization",),
        "jax",
        _GRADIENT,
        "the wrapped layer is trained",
        "Train this model on one backend. On JAX the gradient goes through the normalisation, as "
        "in the paper; PyTorch and TensorFlow treat the normalised kernel as a constant.",
    ),
    KnownDifference(
        "`RandomElasticTransform` ignores its seed: PyTorch",
        ("RandomElasticTransform",),
        "torch",
        _TRAINING,
        "any seed",
        "Seed PyTorch's global generator (torch.manual_seed), from which the layer draws.",
    ),
    KnownDifference(
        "`BatchNormalization` in training, data whose mean is far larger than its spread: PyTorch",
        ("BatchNormalization",),
        "torch",
        _TRAINING,
        "the mean of the layer's input is far larger than its spread",
        "Subtract the mean of the data before the layer, so that no digits are lost.",
        "https://github.com/keras-team/keras-core/pull/866",
    ),
    KnownDifference(
        "`Embedding` under Adam and related optimizers, an index that a batch holds twice: "
        "TensorFlow",
        ("Embedding",),
        "tensorflow",
        ("one step",),
        "the optimizer squares gradients, as Adam does, and a batch holds an index twice",
        "Train with an optimizer that does not square gradients, such as SGD, or not on "
        "TensorFlow.",
    ),
    KnownDifference(
        "Cross-entropy of a saturated `softmax` or `sigmoid`: TensorFlow",
        (LOSS,),
        "tensorflow",
        _GRADIENT,
        "the loss is a cross-entropy of probabilities and one of them is below 1e-7",
        "End the model without softmax or sigmoid and give the loss from_logits=True; then the "
        "backends agree.",
    ),
    KnownDifference(
        "`elu` and `selu` near zero: TensorFlow",
        ("ELU", "Activation"),
        "tensorflow",
        _FORWARD,
        "the activation is elu or selu and its inputs are near zero",
        "Use celu, which agrees.",
        "https://github.com/tensorflow/tensorflow/issues/116943",
    ),
    KnownDifference(
        "`ContrastLimitedAdaptiveHistogramEqualization`: PyTorch",
        ("ContrastLimitedAdaptiveHistogramEqualization",),
        "torch",
        _FORWARD,
        "any input",
        "Use TensorFlow or JAX for this layer; they agree.",
    ),
    KnownDifference(
        "`RandomPosterization`, values beyond `value_range`: JAX differs from PyTorch and "
        "TensorFlow",
        ("RandomPosterization",),
        "jax",
        _TRAINING,
        "inputs lie beyond value_range",
        "Clip the inputs to value_range; within it all backends agree.",
        "https://github.com/jax-ml/jax/issues/10005",
    ),
    *(
        KnownDifference(
            "Gradients of biases in bfloat16, `Dense` and convolutions: TensorFlow and JAX differ "
            "from PyTorch",
            (
                *("Dense", "EinsumDense", "Conv1D", "Conv2D", "Conv3D", "DepthwiseConv1D"),
                *("DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D", "Conv1DTranspose"),
                *("Conv2DTranspose", "Conv3DTranspose"),
            ),
            backend,
            _GRADIENT,
            "a bias is added to several hundred values or more",
            'Give these layers dtype="float32", or train on PyTorch.',
            "https://github.com/tensorflow/tensorflow/issues/86378",
            precision="bfloat16",
        )
        for backend in ("tensorflow", "jax")
    ),
)


@dataclass(frozen=True)
class Match:
    """A known difference that may explain a divergence, and the layer that may cause it.

    Attributes:
        difference: the known difference.
        layer: name of the layer; "loss" for the loss.
        kind: class of the layer; `LOSS` for the loss.
    """

    difference: KnownDifference
    layer: str
    kind: str


def match(
    first: Divergence, stages: Sequence[Stage], oracle: str, precision: str = "float32"
) -> list[Match]:
    """Return the known differences that may explain the first divergence of a check.

    In the stage "gradient", a difference first appears at a weight before the layer that causes it.
    So any layer of the model may be the cause, unless the loss itself differs. In other stages,
    only the layer of the divergence may be the cause.

    Args:
        first: the first divergence.
        stages: results of all stages, from which the layers of the model are taken.
        oracle: backend of the float64 reference.
        precision: dtypes in which the model computes, as `describe_precision` returns them.
    """
    layers = {first.name: first.layer}
    if first.stage in _GRADIENT:
        layers = {"loss": LOSS} if (first.name, first.layer) == ("loss", "") else _layers_of(stages)
    return [
        Match(known, name, kind)
        for known in KNOWN_DIFFERENCES
        if first.stage in known.stages
        and _is_apart(known.backend, first, oracle)
        and known.precision in precision
        for name, kind in layers.items()
        if kind in known.layers
    ]


def _is_apart(backend: str, first: Divergence, oracle: str) -> bool:
    """Return whether ``backend`` may be the backend that differs.

    The backend that computed the reference is within its bound. If all others diverge from it, it
    may be the one that differs.
    """
    if backend in first.diverging:
        return True
    others = [b for b in first.error if b != backend and b not in first.remarks]
    return backend == oracle and not first.reference and set(others) == set(first.diverging)


def _layers_of(stages: Sequence[Stage]) -> dict[str, str]:
    """Return a dict of the name of each layer that the model called to its class."""
    return {
        entry.name: entry.layer
        for stage in stages
        if stage.name in _FORWARD
        for entry in stage.entries
    }
