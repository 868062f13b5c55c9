"""The fused update of Adam (PyTorch)."""

import numpy as np
import pytest

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("torch")]


@pytest.mark.parametrize("name", ["Adam", "AdamW", "Adamax", "amsgrad", "custom", "custom_backend"])
def test_only_adam_and_adamw_are_fused(name, keras):
    from ae_multi.backends.torch.optimizer_hooks import update_forms

    class Custom(keras.optimizers.Adam):
        def update_step(self, gradient, variable, learning_rate):
            raise NotImplementedError

    class CustomBackend(keras.optimizers.Adam):
        def _backend_update_step(self, gradients, variables, learning_rate):
            raise NotImplementedError

    made = {
        "custom_backend": CustomBackend,
        "amsgrad": lambda: keras.optimizers.Adam(amsgrad=True),
        "custom": Custom,
    }.get(name) or getattr(keras.optimizers, name)
    optimizer = made()
    fused = len(update_forms(optimizer, True)) > len(update_forms(optimizer, False))
    assert fused == (name in ("Adam", "AdamW"))


def test_fused_adam_equals_numpy(torch, keras):
    """Compare with NumPy in float64; the gradient is transposed in memory."""
    from ae_multi.backends.torch.optimizer_hooks import Updates

    rng = np.random.default_rng(0)
    w, rate, beta1, beta2, epsilon = rng.random((4, 3)), 0.01, 0.8, 0.97, 1e-3
    weight = keras.Variable(w.astype(np.float32))
    optimizer = keras.optimizers.Adam(rate, beta1, beta2, epsilon)
    optimizer.build([weight])
    m = v = np.zeros((4, 3))
    for t in range(1, 6):
        g = rng.normal(size=(3, 4)).astype(np.float32).T
        with Updates(optimizer, fuse=True):
            optimizer.apply([torch.from_numpy(g)], [weight])
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g.astype(float) ** 2
        alpha = rate * np.sqrt(1 - beta2**t) / (1 - beta1**t)
        w = w - alpha * m / (np.sqrt(v) + epsilon)
        found = keras.ops.convert_to_numpy(weight)
        np.testing.assert_allclose(found, w, rtol=0, atol=2e-7 * t)
