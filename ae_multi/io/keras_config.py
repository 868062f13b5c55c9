"""Descriptions of Keras models from outside: which classes and functions they may name.

Keras builds what a ``config.json`` names. Its safe mode refuses lambdas, but a layer may also run
a pickled module of PyTorch (`TorchModuleWrapper`), a SavedModel (`TFSMLayer`) or read a file of
its choice (`StringLookup`). So what may be named is a list: Keras's layers that compute and no
more, its losses, metrics, optimizers and the like, and classes that this process has registered
with Keras, this package's and the caller's own.
"""

import re

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
# What these hold is code, or a file that holds some.
REFUSED = frozenset({"FlaxLayer", "JaxLayer", "Lambda", "TFSMLayer", "TorchModuleWrapper"})

# Modules to the names that may be taken from them; None: whatever is an identifier.
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
    "builtins": None,  # how Keras calls its own activations, losses and the like
    "keras.activations": None,
    "keras.losses": None,
    "keras.metrics": None,
    "keras.ops": None,
}
# A step of a functional model that was written as a call, and PyTorch's own form of optimizers.
_PRIVATE = re.compile(r"keras\.src\.(ops\.[a-z_]+|backend\.torch\.optimizers\.torch_[a-z]+)")
# Entries that stand for values; `__lambda__` and `__typespec__` are not among them.
_VALUES = {
    "__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__"
}  # fmt: skip
_TYPES = re.compile(r"bool|string|(u?int|float|bfloat|complex)\d{1,3}")
_MAX_VALUE = 1 << 24
_LISTED = {"num_thresholds": 1 << 16}  # as many entries in a list, before any weight is made
# Numbers that cost nothing, however large they are.
_FREE = re.compile(r"seed|shared_object_id|\w*steps|\w*boundaries|\w*frequency|mask_value")


def check(configuration, registered, values, what):
    """Raise `InputError` unless every object in a configuration may be built.

    Args:
        configuration: plain values, as `ae_multi.io.json` reads them.
        registered: function of a name that says whether this process has registered it with
            Keras.
        values: how many numbers the model's weights have: no size need be larger, beyond some
            millions for what has no weights.
        what: what it is, for the message ("the model in one.keras").
    """
    if not isinstance(configuration, dict):
        raise InputError(f"Expected {what} to be a Keras object. Received: {configuration!r:.80}.")
    left = [(None, configuration)]
    while left:
        key, value = left.pop()
        if isinstance(value, dict):
            reason = _reason(value, registered) if "class_name" in value else None
            if reason:
                raise InputError(
                    f"Expected {what} to be made of Keras's layers that compute and no more, and "
                    f"of registered classes. Received: {reason}."
                )
            left += value.items()
        elif isinstance(value, list):
            left += [(key, each) for each in value]
        elif _is_absurd(key, value, values):
            raise InputError(
                f"Expected {what} to be of a size that it can have. Received: {key}={value}."
            )


def _reason(entry, registered):
    """What an entry names that it must not, or None."""
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


def _value_reason(name, inner):
    """A type such as "<U1000000000" would take memory for one letter."""
    stated = inner.get("dtype") if isinstance(inner, dict) else None
    if isinstance(stated, str) and not _TYPES.fullmatch(stated):
        return f"{name} of the type {stated!r:.80}"
    return None


def _is_absurd(key, value, values):
    if not isinstance(value, int) or (key is not None and _FREE.fullmatch(key)):
        return False
    return abs(value) > _LISTED.get(key, max(_MAX_VALUE, values))
