"""Checks of untrusted Keras configurations: the classes and functions that they may name.

Keras builds every object that a ``config.json`` names. Its safe mode refuses lambdas, but a layer
can also run a pickled PyTorch module (`TorchModuleWrapper`) or a SavedModel (`TFSMLayer`), or read
any file (`StringLookup`). Therefore only listed names are allowed: Keras layers that only compute;
Keras losses, metrics, optimizers and similar objects; and classes that are registered with Keras
in this process, by this package or the user.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from ae_multi.errors import InputError

_LAYERS = """
Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D
AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add
AdditiveAttention AlphaDropout Attention AugMix AutoContrast Average AveragePooling1D
AveragePooling2D AveragePooling3D AvgPool1D AvgPool2D AvgPool3D BatchNormalization
Bidirectional CategoryEncoding CenterCrop Concatenate
ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D Conv2DTranspose
Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Convolution1D Convolution1DTranspose
Convolution2D Convolution2DTranspose Convolution3D Convolution3DTranspose Cropping1D Cropping2D
Cropping3D CutMix Dense DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout ELU
EinsumDense Embedding Equalization Flatten GRU GRUCell GaussianDropout GaussianNoise
GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D GlobalAvgPool1D
GlobalAvgPool2D GlobalAvgPool3D GlobalMaxPool1D GlobalMaxPool2D GlobalMaxPool3D
GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization
GroupQueryAttention HashedCrossing Hashing Identity InputLayer InputSpec IntegerLookup LSTM
LSTMCell Layer LayerNormalization LeakyReLU Masking MaxNumBoundingBoxes MaxPool1D MaxPool2D
MaxPool3D MaxPooling1D MaxPooling2D MaxPooling3D Maximum MelSpectrogram Minimum MixUp
MultiHeadAttention Multiply Normalization PReLU Permute Pipeline RMSNormalization RNN
RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast
RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale
RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation
RandomSharpness RandomShear RandomTranslation RandomZoom ReLU RepeatVector Rescaling Reshape
Resizing ReversibleEmbedding STFTSpectrogram SeparableConv1D SeparableConv2D
SeparableConvolution1D SeparableConvolution2D SimpleRNN SimpleRNNCell Softmax Solarization
SpatialDropout1D SpatialDropout2D SpatialDropout3D SpectralNormalization StackedRNNCells
StringLookup Subtract TextVectorization TimeDistributed UnitNormalization UpSampling1D
UpSampling2D UpSampling3D Wrapper ZeroPadding1D ZeroPadding2D ZeroPadding3D
"""
LAYERS = frozenset(_LAYERS.split())
# Layers that contain code, or refer to a file that does.
REFUSED = frozenset({"FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper"})

# Modules and the names that are allowed in them; None allows any identifier.
_CLASSES = {
    "keras": {"DTypePolicy", "Functional", "Initializer", "Model", "Sequential"},
    "keras.models": {"Model", "Sequential"},
    "keras.layers": LAYERS,
    "keras.random": {"SeedGenerator"},
    "keras.src.models.functional": {"Functional"},
    "keras.src.models.sequential": {"Sequential"},
    "keras.constraints": None,
    "keras.dtype_policies": None,
    "keras.initializers": None,
    "keras.losses": None,
    "keras.metrics": None,
    "keras.optimizers": None,
    "keras.optimizers.schedules": None,
    "keras.quantizers": None,
    "keras.regularizers": None,
}
_FUNCTIONS = {
    "builtins": None,  # the module that Keras records for its activations, losses and similar
    "keras.activations": None,
    "keras.losses": None,
    "keras.metrics": None,
    "keras.ops": None,
}
# Modules of operations in functional models, and of the PyTorch variants of optimizers.
_PRIVATE = re.compile(r"keras\.src\.(ops\.[a-z_]+|backend\.torch\.optimizers\.torch_[a-z]+)")
# Class names of serialized values. `__lambda__` and `__typespec__` are not allowed.
_VALUES = {
    "__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__"
}  # fmt: skip
_TYPES = re.compile(r"bool|string|(u?int|float|bfloat|complex)\d{1,3}")
_MAX_VALUE = 1 << 24
_LISTED = {"num_thresholds": 1 << 16}  # Keras creates a list of this length before any weight
# Keys whose numbers need no memory, whatever their size.
_FREE = re.compile(r"seed|shared_object_id|\w*steps|\w*boundaries|\w*frequency|mask_value")


def check(configuration: Any, registered: Callable[[str], bool], values: int, what: str) -> None:
    """Check that every object in a configuration is allowed.

    Args:
        configuration: JSON values, as `ae_multi.io.json` returns them.
        registered: function that returns whether a name is registered with Keras.
        values: number of values in the weights of the model. It limits all sizes in the
            configuration, with a minimum of some millions for sizes of objects without weights.
        what: content of the configuration, for error messages ("the model in one.keras").

    Raises:
        InputError: the configuration names a class or function that is not allowed, or contains
            a size that is far too large.
    """
    if not isinstance(configuration, dict):
        raise InputError(f"Expected {what} to be a Keras object. Received: {configuration!r:.80}.")
    stack: list[tuple[Any, Any]] = [(None, configuration)]
    while stack:
        key, value = stack.pop()
        if isinstance(value, dict):
            reason = _reason(value, registered) if "class_name" in value else None
            if reason:
                raise InputError(
                    f"Expected {what} to consist of Keras layers that only compute, and of "
                    f"registered classes. Received: {reason}."
                )
            stack += value.items()
        elif isinstance(value, list):
            stack += [(key, each) for each in value]
        elif _is_too_large(key, value, values):
            raise InputError(
                f"Expected {what} to have sizes that fit its weights. Received: {key}={value}."
            )


def _reason(entry: Mapping[str, Any], registered: Callable[[str], bool]) -> str | None:
    """Return the name in an entry that is not allowed, or None."""
    name, module = entry["class_name"], entry.get("module")
    inner, known = entry.get("config"), entry.get("registered_name") or name
    if not isinstance(name, str) or not isinstance(known, str):
        return f"an object of the class {name!r:.80}"
    if name in _VALUES:
        return _value_reason(name, inner)
    if name == "function":
        if isinstance(inner, str) and (registered(inner) or _allowed(_FUNCTIONS, module, inner)):
            return None
        return f"the function {module!s:.80}.{inner!s:.80}"
    if registered(known):
        return None
    private = isinstance(module, str) and _PRIVATE.fullmatch(module) and name.isidentifier()
    if not private and not _allowed(_CLASSES, module, name):
        return f"the class {module!s:.80}.{name:.80}"
    if isinstance(inner, dict) and isinstance(inner.get("vocabulary"), str):
        return f"{name} that reads the file {inner['vocabulary']!r:.80}"
    return None


def _allowed(table, module, name):
    if not isinstance(module, str) or module not in table:
        return False
    return name in table[module] if table[module] else name.isidentifier()


def _value_reason(name: str, inner: Any) -> str | None:
    """Return the type of a value if it is not allowed: "<U1000000000" needs 4 GB per element."""
    dtype = inner.get("dtype") if isinstance(inner, dict) else None
    if isinstance(dtype, str) and not _TYPES.fullmatch(dtype):
        return f"{name} of the type {dtype!r:.80}"
    return None


def _is_too_large(key, value, values):
    if not isinstance(value, int) or (key is not None and _FREE.fullmatch(key)):
        return False
    return abs(value) > _LISTED.get(key, max(_MAX_VALUE, values))
