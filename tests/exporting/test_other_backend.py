"""Formats that are written in the environments of other backends."""

import json
import os

import pytest

pytestmark = [pytest.mark.across, pytest.mark.slow]

# `nox -s exports` covers all pairs of backends and formats.
BACKEND, ELSEWHERE = "jax", ["torch", "litert"]
SCRIPT = """
import json, os, sys
import numpy as np
import ae_multi
import keras
from own_layers import Doubled

folder, names, pythons = sys.argv[1], sys.argv[2].split(","), json.loads(sys.argv[3])
digits = ae_multi.load_data("digits")
x = digits.x_train[digits.y_train == 0] * 255
encoder = keras.Sequential(
    [keras.Input((28, 28, 1)), keras.layers.Flatten(), Doubled(), keras.layers.Dense(9)]
)
decoder = keras.Sequential(
    [keras.Input((9,)), keras.layers.Dense(784, "sigmoid"), keras.layers.Reshape((28, 28, 1))]
)
model = ae_multi.Autoencoder(encoder, decoder, seed=0)
detector = ae_multi.AnomalyDetector(model, epochs=2).fit(x)
suffixes = {"torch": ".pt2", "litert": ".tflite", "stablehlo": ".stablehlo"}
exported = [
    detector.export(
        os.path.join(folder, "m" + suffixes.get(name, "")), name, data=digits.x_test * 255,
        pythons=pythons,
    ).to_json()
    for name in names
]
print(json.dumps(exported))
"""

# A custom layer, which the other processes must import.
LAYER_MODULE = """
import keras

@keras.saving.register_keras_serializable("own")
class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x
"""


def test_formats_of_other_backends_are_exported_in_their_environments(pythons, run_on, tmp_path):
    (tmp_path / "own_layers.py").write_text(LAYER_MODULE)
    others = {name: path for name, path in pythons.items() if name != BACKEND}
    output = run_on(BACKEND, SCRIPT, str(tmp_path), ",".join(ELSEWHERE), json.dumps(others))
    exported = json.loads(output.splitlines()[-1])
    assert [each["format"] for each in exported] == ELSEWHERE
    for each in exported:
        assert each["outputs"] == ["label", "reconstruction", "score"]
        assert 0 < each["difference"] <= 3e-6
        assert each["samples"] == 360
        assert BACKEND not in each["versions"]
    assert all(not name.startswith(".") for name in os.listdir(tmp_path))
