"""Errors and speed of lower precision."""

import pytest

pytestmark = [
    pytest.mark.backend,
    # PyTorch emits this warning when its compiler is first imported.
    pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning"),
]


def test_each_precision_is_compared_with_float64(monkeypatch, keras):
    from ae_multi import backends
    from benchmarks import contenders, precision

    monkeypatch.setattr(contenders, "_MAX_STEPS_PER_EPOCH", 1)
    before = keras.config.dtype_policy().name
    found = precision.measure("simple", batch_size=64, samples=128, repeats=1)["precisions"]
    assert keras.config.dtype_policy().name == before
    assert ("TF32" in found) is not backends.current().device().startswith("cpu")
    assert found["float32"]["rms"] < 1e-6
    assert 1e-4 < found["bfloat16"]["rms"] < found["bfloat16"]["largest"] < 0.1
    for measured in found.values():
        assert measured["samples_per_second"] > 0
        assert measured["mse"] == pytest.approx(found["float32"]["mse"], rel=0.01)
