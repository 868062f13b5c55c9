"""Recurrent layers, their cells and wrappers, and attention."""

from tests.robustness.sweep.branch import Configuration, Numbers

STEPS = (7, 4)


def _options(draw):
    return {
        "return_sequences": draw.of(True, False),
        "go_backwards": draw.of(True, False),
        "use_bias": draw.of(True, False),
    }


def _masked(draw, layer, config):
    """Return the configuration with and without a mask over the last two steps."""
    return [
        Configuration(layer, config, [Numbers(STEPS)]),
        Configuration(layer, config, [Numbers(STEPS, skipped=2)], mask=0.0),
    ]


def recurrent(draw):
    config = {"units": 3, **_options(draw), "activation": draw.of("tanh", "relu")}
    config |= {"unroll": draw.of(True, False), "return_state": draw.of(True, False)}
    if draw.layer == "GRU":
        config["reset_after"] = draw.of(True, False)
    if draw.layer != "SimpleRNN":
        config["recurrent_activation"] = draw.of("sigmoid", "hard_sigmoid")
    with_dropout = {"units": 3, "dropout": 0.3, "recurrent_dropout": draw.of(0.0, 0.2)}
    return [
        *_masked(draw, draw.layer, config),
        Configuration(draw.layer, with_dropout, [Numbers(STEPS)]),
    ]


def convolutional(draw):
    shape = {1: (3, 7, 4), 2: (3, 7, 6, 4), 3: (3, 5, 4, 6, 2)}[int(draw.layer[-2])]
    config = {"filters": 2, "kernel_size": draw.of(2, 3), "padding": draw.of("valid", "same")}
    config |= {"return_sequences": draw.of(True, False), "strides": draw.of(1, 2)}
    return [Configuration(draw.layer, config, [Numbers(shape)])]


def _cell(draw, name):
    config = {"units": 3, "use_bias": draw.of(True, False)}
    return {"class": name, "config": config}


def rnn(draw):
    cells = [_cell(draw, name) for name in ("LSTMCell", "GRUCell", "SimpleRNNCell")]
    stacked = {"class": "StackedRNNCells", "config": {"cells": cells}}
    return [
        Configuration("RNN", {"cell": draw.of(*cells, stacked), **_options_of_rnn(draw)}, [n])
        for n in (Numbers(STEPS),)
    ]


def _options_of_rnn(draw):
    return {"return_sequences": draw.of(True, False), "go_backwards": draw.of(True, False)}


def cell(draw):
    """Return a cell inside an `RNN` layer."""
    config = {"cell": _cell(draw, draw.layer), "return_sequences": True}
    return [Configuration("RNN", config, [Numbers(STEPS)])]


def stacked(draw):
    cells = [_cell(draw, name) for name in ("GRUCell", "LSTMCell")]
    config = {"cell": {"class": "StackedRNNCells", "config": {"cells": cells}}}
    return [Configuration("RNN", config, [Numbers(STEPS)])]


def bidirectional(draw):
    inner = {"units": 3, "return_sequences": draw.of(True, False)}
    config = {
        "layer": {"class": draw.of("LSTM", "GRU", "SimpleRNN"), "config": inner},
        "merge_mode": draw.of("concat", "sum", "mul", "ave", None),
    }
    return _masked(draw, "Bidirectional", config)


def time_distributed(draw):
    inner, shape = draw.of(
        ({"class": "Dense", "config": {"units": 3}}, STEPS),
        ({"class": "Conv1D", "config": {"filters": 3, "kernel_size": 2}}, (3, 7, 4)),
        ({"class": "LayerNormalization", "config": {}}, STEPS),
    )
    return [Configuration("TimeDistributed", {"layer": inner}, [Numbers(shape)])]


def multi_head(draw):
    config = {"num_heads": 2, "key_dim": 3, "value_dim": draw.of(None, 5)}
    config |= {"use_bias": draw.of(True, False), "use_gate": draw.of(False, True)}
    config |= {"output_shape": draw.of(None, 5)}
    causal = {"use_causal_mask": True}
    return [
        Configuration("MultiHeadAttention", config, [Numbers(STEPS), Numbers((5, 4))]),
        Configuration(
            "MultiHeadAttention",
            {"num_heads": 2, "key_dim": 4, "dropout": draw.of(0.0, 0.3)},
            [Numbers(STEPS, skipped=2), Numbers(STEPS, skipped=2)],
            mask=0.0,
            call=causal,
        ),
        Configuration(
            "MultiHeadAttention",
            {"num_heads": 1, "key_dim": 4, "sliding_window": 2},
            [Numbers(STEPS), Numbers(STEPS)],
        ),
        Configuration(
            "MultiHeadAttention",
            {"num_heads": 2, "key_dim": 4, "attention_axes": [2]},
            [Numbers((3, 5, 4)), Numbers((3, 7, 4))],
        ),
    ]


def grouped_query(draw):
    config = {"head_dim": 4, "num_query_heads": 4, "num_key_value_heads": draw.of(1, 2, 4)}
    config |= {"use_bias": draw.of(True, False), "use_gate": draw.of(False, True)}
    return [
        Configuration("GroupQueryAttention", config, [Numbers(STEPS), Numbers((5, 4))]),
        Configuration(
            "GroupQueryAttention",
            config,
            [Numbers(STEPS, skipped=2), Numbers(STEPS, skipped=2)],
            mask=0.0,
            call={"use_causal_mask": draw.of(True, False)},
        ),
    ]


def attention(draw):
    config = {"use_scale": draw.of(True, False), "dropout": draw.of(0.0, 0.3)}
    if draw.layer == "Attention":
        config["score_mode"] = draw.of("dot", "concat")
    inputs = [Numbers(STEPS, skipped=1), Numbers((5, 4), skipped=2)]
    return [
        Configuration(draw.layer, config, [Numbers(STEPS), Numbers((5, 4))], together=True),
        Configuration(
            draw.layer,
            config,
            inputs,
            together=True,
            mask=0.0,
            call={"use_causal_mask": draw.of(True, False)},
        ),
    ]


DRAWS = {
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN"), recurrent),
    **dict.fromkeys(("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"), convolutional),
    **dict.fromkeys(("LSTMCell", "GRUCell", "SimpleRNNCell"), cell),
    "RNN": rnn,
    "StackedRNNCells": stacked,
    "Bidirectional": bidirectional,
    "TimeDistributed": time_distributed,
    "MultiHeadAttention": multi_head,
    "GroupQueryAttention": grouped_query,
    **dict.fromkeys(("Attention", "AdditiveAttention"), attention),
}
