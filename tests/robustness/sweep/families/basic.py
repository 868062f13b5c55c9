"""Dense, embedding, activation, merging and regularisation layers."""

from tests.robustness.sweep.branch import Configuration, Numbers

ACTIVATIONS = [
    "celu",
    "elu",
    "exponential",
    "gelu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "tanh",
    "tanh_shrink",
]


def dense(draw):
    return [
        Configuration(
            "Dense",
            {"units": draw.of(1, 5, 17), "activation": draw.of(None, "relu", "gelu", "softmax")},
            [Numbers(draw.of((9,), (3, 9), (2, 3, 9)))],
        )
    ]


def einsum_dense(draw):
    equation, shape, output, bias = draw.of(
        ("abc,cd->abd", (3, 4), (3, 5), "d"),
        ("abc,bde->acde", (3, 4), (4, 2, 5), "ce"),
        ("...x,xy->...y", (2, 3, 4), (5,), "y"),
        ("ab...,bc->ac...", (4, 3), (5, 3), None),
    )
    config = {"equation": equation, "output_shape": output, "bias_axes": bias}
    return [Configuration("EinsumDense", config, [Numbers(shape)])]


def embedding(draw):
    config = {"input_dim": 11, "output_dim": draw.of(1, 4), "mask_zero": draw.of(True, False)}
    return [Configuration("Embedding", config, [Numbers((6,), below=11)])]


def reversible_embedding(draw):
    config = {
        "input_dim": 11,
        "output_dim": 4,
        "tie_weights": draw.of(True, False),
        "logit_soft_cap": draw.of(None, 0.5, 30.0),
    }
    return [
        Configuration("ReversibleEmbedding", config, [Numbers((6,), below=11)]),
        Configuration("ReversibleEmbedding", config, [Numbers((6, 4))], call={"reverse": True}),
    ]


def activation(draw):
    shape = (6, 8)
    return [
        Configuration("Activation", {"activation": name}, [Numbers(shape, spread=spread)])
        for name in ACTIVATIONS
        # exp(100) overflows in float32
        for spread in (1.0, draw.of(1e-3, 8.0 if name == "exponential" else 40.0))
    ]


def relu(draw):
    config = {
        "max_value": draw.of(None, 1.5),
        "negative_slope": draw.of(0.0, 0.3),
        "threshold": draw.of(0.0, 0.5),
    }
    return [Configuration("ReLU", config, [Numbers((6, 8))])]


def leaky_relu(draw):
    return [Configuration("LeakyReLU", {"negative_slope": draw.of(0.0, 0.3)}, [Numbers((6, 8))])]


def prelu(draw):
    config = {
        "alpha_initializer": {"class": "RandomUniform", "config": {"minval": 0.1, "maxval": 0.4}},
        "shared_axes": draw.of(None, [1], [1, 2]),
    }
    return [Configuration("PReLU", config, [Numbers((7, 6, 4))])]


def elu(draw):
    return [Configuration("ELU", {"alpha": draw.of(0.3, 1.0, 2.0)}, [Numbers((6, 8))])]


def softmax(draw):
    spread = draw.of(0.01, 1.0, 40.0)
    return [
        Configuration("Softmax", {"axis": axis}, [Numbers((6, 8), spread=spread)])
        for axis in (-1, 1, [1, 2])
    ]


def merging(draw):
    shapes = draw.of([(6, 8), (6, 8)], [(6, 8), (6, 8), (6, 8)], [(6, 1), (6, 8)])
    inputs = [Numbers(shape) for shape in shapes]
    return [Configuration(draw.layer, {}, inputs, together=True)]


def subtract(draw):
    return [Configuration("Subtract", {}, [Numbers((6, 8)), Numbers((6, 8))], together=True)]


def concatenate(draw):
    axis, other = draw.of((-1, (6, 3)), (1, (2, 8)))
    inputs = [Numbers((6, 8)), Numbers(other)]
    return [Configuration("Concatenate", {"axis": axis}, inputs, together=True)]


def dot(draw):
    axes, other = draw.of((2, (5, 8)), (1, (6, 3)), ([2, 1], (8, 3)))
    inputs = [Numbers((6, 8)), Numbers(other)]
    config = {"axes": axes, "normalize": draw.of(True, False)}
    return [Configuration("Dot", config, inputs, together=True)]


def dropout(draw):
    config = {"rate": draw.of(0.1, 0.5), "noise_shape": draw.of(None, [None, 1, 8])}
    return [Configuration("Dropout", config, [Numbers((6, 8))])]


def rated(draw):
    return [Configuration(draw.layer, {"rate": draw.of(0.1, 0.5)}, [Numbers((6, 8))])]


def gaussian_noise(draw):
    return [Configuration("GaussianNoise", {"stddev": draw.of(0.1, 1.0)}, [Numbers((6, 8))])]


def activity_regularization(draw):
    config = {"l1": draw.of(0.0, 0.1), "l2": draw.of(0.01, 0.1)}
    return [Configuration("ActivityRegularization", config, [Numbers((6, 8))])]


def identity(draw):
    return [Configuration("Identity", {}, [Numbers((6, 8))])]


def masking(draw):
    return [Configuration("Masking", {"mask_value": 0.0}, [Numbers((7, 4), skipped=2)])]


DRAWS = {
    "Dense": dense,
    "EinsumDense": einsum_dense,
    "Embedding": embedding,
    "ReversibleEmbedding": reversible_embedding,
    "Activation": activation,
    "ReLU": relu,
    "LeakyReLU": leaky_relu,
    "PReLU": prelu,
    "ELU": elu,
    "Softmax": softmax,
    **dict.fromkeys(("Add", "Average", "Maximum", "Minimum", "Multiply"), merging),
    "Subtract": subtract,
    "Concatenate": concatenate,
    "Dot": dot,
    "Dropout": dropout,
    **dict.fromkeys(("GaussianDropout", "AlphaDropout"), rated),
    "GaussianNoise": gaussian_noise,
    "ActivityRegularization": activity_regularization,
    "Identity": identity,
    "Masking": masking,
}
