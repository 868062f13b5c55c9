"""Precision of a model: unit roundoff of dtype policies, and true float64 for all of them."""

import numpy as np
import pytest

pytestmark = pytest.mark.backend


def network(keras, *policies):
    layers = [keras.layers.Dense(3, dtype=policy) for policy in policies]
    return keras.Sequential([keras.Input((4,)), *layers])


@pytest.mark.parametrize(
    ("policies", "roundoff", "precision"),
    [
        (["float32", "float32"], 2.0**-24, "float32"),
        (["float32", "mixed_bfloat16"], 2.0**-8, "bfloat16"),
        (["float16", "float32"], 2.0**-11, "float16"),
        (["mixed_float16", "bfloat16"], 2.0**-8, "bfloat16 and float16"),
    ],
)
def test_roundoff_is_that_of_the_dtype_with_fewest_digits(keras, policies, roundoff, precision):
    from ae_multi.parity.precision import describe_precision, unit_roundoff

    model = network(keras, *policies)
    assert unit_roundoff(model) == roundoff
    assert describe_precision(model) == precision


def test_weights_are_rounded_where_they_are_stored_in_fewer_digits(keras):
    from ae_multi.parity.precision import round_weights

    model = network(keras, "bfloat16", "mixed_bfloat16")
    values = [np.full(weight.shape, 1 + 2.0**-10, np.float32) for weight in model.weights]
    rounded = round_weights(model, values)
    assert [float(array.max()) for array in rounded] == [1.0, 1.0, 1 + 2.0**-10, 1 + 2.0**-10]
    assert {array.dtype for array in rounded} == {np.dtype("float32")}


FLOAT64 = """
import numpy as np
from ae_multi.parity.precision import unit_roundoff, use_float64
use_float64()
import keras
layers = [keras.layers.Dense(3, dtype=p) for p in ("mixed_bfloat16", "bfloat16", "float32", None)]
model = keras.Sequential([keras.Input((4,)), *layers])
x = np.random.default_rng(0).normal(size=(5, 4))
exact = x
for layer in layers:
    kernel, offset = layer.get_weights()
    assert kernel.dtype == np.float64, layer.dtype_policy
    exact = exact @ kernel + offset
np.testing.assert_allclose(model.predict(x, verbose=0), exact, rtol=1e-13)
assert unit_roundoff(model) == 2.0**-8
"""


def test_every_policy_computes_in_float64(backend, fresh_python):
    done = fresh_python(FLOAT64, KERAS_BACKEND=backend)
    assert done.returncode == 0, done.stderr
