"""Scripts that reproduce a divergence in one layer with Keras alone."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from ae_multi.parity.divergence import Divergence

pytestmark = [pytest.mark.backend, pytest.mark.once]


def models(keras):
    """Return dict of name to (model, name of the layer to reproduce, place among its outputs)."""
    layers = keras.layers
    x = keras.Input((6, 4))
    _, *states = layers.LSTM(3, return_state=True, name="lstm")(x)
    added = layers.Add(name="add")([x, layers.Dense(4)(x)])
    attention = layers.MultiHeadAttention(2, 3, name="attention")
    attended = attention(x, value=layers.Dense(5)(x), attention_mask=layers.ReLU()(x[:, :, :1]))
    return {
        "second state": (keras.Model(x, states), "lstm", 2),
        "list of inputs": (keras.Model(x, added), "add", 0),
        "keyword arguments": (keras.Model(x, attended), "attention", 0),
    }


@pytest.mark.parametrize("name", ["second state", "list of inputs", "keyword arguments"])
def test_script_repeats_the_recorded_call(keras, backend, tmp_path, name):
    from ae_multi.parity.reproduce import write_script
    from ae_multi.parity.trace_recorder import TraceRecorder

    model, layer, output = models(keras)[name]
    x = np.random.default_rng(0).normal(size=(8, 6, 4)).astype("float32")
    recorder = TraceRecorder(model, [x], [], 0, 8)
    entries = recorder.forward(1)["forward"]
    places = [place for place, entry in enumerate(entries) if entry["name"] == layer]
    place = places[output]
    data, script = tmp_path / "data.npz", tmp_path / "show.py"
    recorder.save_layer("forward", place, data)
    errors = {"torch": 1.0, "jax": 0.0}
    divergence = Divergence("forward", place, layer, "", (), errors, {}, ("torch",), {})
    exact = entries[place]["values"]
    write_script(script, divergence, data, exact, dict.fromkeys(errors, "python"))
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (error,) = re.findall(r"is off by (\S+) of", done.stdout)
    assert float(error) < 1e-6
