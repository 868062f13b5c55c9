"""Faults to inject in one backend in models of the zoo.

Most change all layers of a class, and the comparison must report the first of them in the model.
"""

from tests.robustness.fault_injection.fault import Fault


def _outputs(model, kind, changed, stage="forward", name=""):
    """Return a fault in the outputs ``y`` of all layers of a class."""
    return Fault(f"outputs_of({kind!r}, lambda y: {changed})", stage, name, model)


def _function(model, function, changed, name, arguments="x", keywords=""):
    """Return a fault in a function of Keras's backend; ``real_…`` is the original function."""
    module, _, called = function.rpartition(".")
    code = (
        f"place = keras.src.backend.{module}\nreal_{called} = place.{called}\n"
        f"place.{called} = lambda {arguments}{keywords}: {changed}"
    )
    return Fault(code, "forward", name, model)


def _defaults(model, of, stage, name="", **changes):
    """Return a fault in the default arguments of a class of Keras."""
    changed = ", ".join(f"{argument}={value!r}" for argument, value in changes.items())
    return Fault(f"defaults(keras.{of}, {changed})", stage, name, model)


_FLOAT16 = "ops.cast(ops.cast(x, 'float16'), 'float32')"
_DOUBLED = "y + (y - ops.stop_gradient(y))"

ZOO_FAULTS = {
    "convolutions off by 1e-4": _outputs(
        "digit_classifier", "Conv2D", "y * (1 + 1e-4)", name="conv2d"
    ),
    "a doubled gradient of convolutions": _outputs(
        "digit_classifier", "Conv2D", _DOUBLED, "gradient", "conv2d/kernel"
    ),
    "average for max pooling": _function(
        "digit_classifier",
        "nn.max_pool",
        "place.average_pool(*a, **k)",
        "max_pooling2d",
        "*a, **k",
    ),
    "transposed convolutions shifted by a pixel": _outputs(
        "convolutional_autoencoder", "Conv2DTranspose", "ops.roll(y, 1, axis=1)",
        name="conv2d_transpose",
    ),
    "a concatenation off by 1e-3": _outputs(
        "unet", "Concatenate", "y * (1 + 1e-3)", name="concatenate"
    ),
    "another epsilon in all batch normalizations": _defaults(
        "unet", "layers.BatchNormalization", "forward", "batch_normalization", epsilon=2e-3
    ),
    "an LSTM without its forget bias": _defaults(
        "lstm_forecaster", "layers.LSTM", "start", "lstm", unit_forget_bias=False
    ),
    "an LSTM with hard gates": _defaults(
        "lstm_forecaster", "layers.LSTM", "forward", "lstm", recurrent_activation="hard_sigmoid"
    ),
    "a stopped gradient of LSTMs": _outputs(
        "lstm_forecaster", "LSTM", "ops.stop_gradient(y)", "gradient", "lstm"
    ),
    "GRUs off by 1e-4": _outputs("gru_forecaster", "GRU", "y * (1 + 1e-4)", name="forward_gru"),
    "RMSprop with rho of .91": _defaults(
        "gru_forecaster", "optimizers.RMSprop", "one step", rho=0.91
    ),
    "a ConvLSTM in bfloat16": _outputs(
        "convlstm", "ConvLSTM2D", "ops.cast(ops.cast(y, 'bfloat16'), 'float32')",
        name="conv_lstm2d",
    ),
    "a reversed sequence": _outputs(
        "sequence_autoencoder", "TimeDistributed", "ops.flip(y, axis=1)", name="time_distributed"
    ),
    "words of the next place": _outputs(
        "text_classifier", "Embedding", "ops.roll(y, 1, axis=1)", name="embedding"
    ),
    "a softmax of float16": _function(
        "text_classifier",
        "nn.softmax",
        f"real_softmax({_FLOAT16}, *a, **k)",
        "dense",
        keywords=", *a, **k",
    ),
    "a doubled gradient of an embedding": _outputs(
        "character_rnn", "Embedding", _DOUBLED, "gradient", "embedding"
    ),
    "a tanh off by 1e-4": _function(
        "siamese", "nn.tanh", "real_tanh(x) * (1 + 1e-4)", "conv2d"
    ),
    "another slope of leaky units": _function(
        "graph_attention",
        "nn.leaky_relu",
        "real_leaky_relu(x, negative_slope=0.21)",
        "graph_attention",
        keywords=", negative_slope=0.2",
    ),
    "gates off by 1e-4": _outputs("wavenet", "Multiply", "y * (1 + 1e-4)", name="multiply"),
    "causal convolutions that see the next step": _outputs(
        "wavenet", "Conv1D", "ops.roll(y, -1, axis=1)", name="conv1d"
    ),
    "a product with a transposed matrix": _outputs(
        "pointnet", "Dot", "ops.flip(y, axis=2)", name="dot"
    ),
    "a Huber loss summed": _defaults(
        "retinanet_heads", "losses.Huber", "gradient", "loss", reduction="sum"
    ),
    "a divergence counted twice": Fault(
        "real = keras.Layer.add_loss\n"
        "keras.Layer.add_loss = lambda self, loss: real(self, loss * 2)",
        "gradient",
        "loss",
        "variational",
    ),
    "smoothed labels": _defaults(
        "discriminator", "losses.BinaryCrossentropy", "gradient", "loss", label_smoothing=0.01
    ),
    "another beta 1 of Adam": _defaults(
        "generator", "optimizers.Adam", "losses", beta_1=0.45
    ),
    "a sum over tags off by 1e-4": _function(
        "tagger",
        "math.logsumexp",
        "real_logsumexp(x, *a, **k) * (1 + 1e-4)",
        "conditional_random_field",
        keywords=", *a, **k",
    ),
    "pixels in another order": _outputs(
        "super_resolution", "Permute", "ops.flip(y, axis=2)", name="permute"
    ),
    "another momentum of SGD": _defaults(
        "wide_and_deep", "optimizers.SGD", "losses", momentum=0.89
    ),
    "a sum of biases off by 1e-4": _outputs(
        "recommender", "Add", "y * (1 + 1e-4)", name="add"
    ),
    "frames of the next moment": _outputs(
        "video_classifier", "Conv3D", "ops.roll(y, 1, axis=1)", name="conv3d"
    ),
    "depthwise channels of their neighbours": _outputs(
        "convmixer", "DepthwiseConv2D", "ops.roll(y, 1, axis=-1)", name="depthwise_conv2d"
    ),
    "GELU by tanh": _function(
        "convmixer", "nn.gelu", "real_gelu(x, approximate=True)", "conv2d",
        keywords=", approximate=True",
    ),
    "another epsilon in layer normalizations": _defaults(
        "residual_dense", "layers.LayerNormalization", "forward", "layer_normalization",
        epsilon=1e-2,
    ),
    "Nadam with epsilon 1e-6": _defaults(
        "residual_dense", "optimizers.Nadam", "one step", epsilon=1e-6
    ),
    "positions off by 1e-4": _outputs("gpt2", "Positions", "y * (1 + 1e-4)", name="positions"),
    "rotary attention to the next place": _outputs(
        "llama", "Rotary", "ops.roll(y, 1, axis=1)", name="rotary"
    ),
    "dropout scaled by a percent too much in a Transformer": Fault(
        "real = keras.layers.Dropout.call\n"
        "def call(self, inputs, training=False):\n"
        "    return real(self, inputs, training=training) * (1.01 if training else 1.0)\n"
        "keras.layers.Dropout.call = call\n",
        "training forward",
        "dropout",
        "bert",
    ),
    "a doubled decay of weights": _defaults(
        "vit", "optimizers.AdamW", "one step", weight_decay=0.008
    ),
    "another epsilon in group normalizations": _defaults(
        "diffusion_unet", "layers.GroupNormalization", "forward", "group_normalization",
        epsilon=1e-2,
    ),
    "nearest for bilinear pixels": _defaults(
        "diffusion_unet", "layers.UpSampling2D", "forward", "up_sampling2d",
        interpolation="nearest",
    ),
    "depthwise convolutions off by 1e-3": _outputs(
        "mobilenet", "DepthwiseConv2D", "y * (1 + 1e-3)", name="conv_dw_1"
    ),
    "another momentum of running means": _defaults(
        "resnet", "layers.BatchNormalization", "one step", "conv1_bn/moving", momentum=0.98
    ),
}  # fmt: skip
