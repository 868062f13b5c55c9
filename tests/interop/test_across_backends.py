"""Files and weights saved on one backend and loaded on another."""

import numpy as np
import pytest

from ae_multi.backend_selection import BACKENDS

pytestmark = pytest.mark.across


@pytest.fixture
def python(run_on, tmp_path, digits):
    """Return a function that runs code on a backend with 150 images and parses its output."""
    np.save(tmp_path / "x.npy", digits.x_train[:150])

    def run(backend, code, argument):
        output = run_on(backend, code, argument)
        return dict(line.split() for line in output.splitlines() if line)

    return run


SAVE = """
import sys, numpy as np, ae_multi
x = np.load("x.npy")
model = ae_multi.DeepAutoencoder((16, 8), 4, (28, 28, 1), seed=6)
model.compile()
model.fit(x, epochs=2, verbose=0)
model.save(sys.argv[1] + ".keras")
detector = ae_multi.AnomalyDetector("simple", latent_dim=4, contamination=0.1, epochs=3).fit(x)
detector.save(sys.argv[1] + ".ae")
np.savez(sys.argv[1], model=model.reconstruct(x), detector=detector.decision_function(x))
"""

LOAD = """
import sys, numpy as np, ae_multi
x = np.load("x.npy")
fresh = ae_multi.SimpleAutoencoder(4, (28, 28, 1))
fresh.compile()
for saved in sys.argv[1].split(","):
    expected = np.load(saved + ".npz")
    model = ae_multi.load_model(saved + ".keras")
    assert model.jit_compile == fresh.jit_compile
    assert model.optimizer.iterations == 10, model.optimizer.iterations
    print(saved + "/model", abs(model.reconstruct(x) - expected["model"]).max())
    detector = ae_multi.load_estimator(saved + ".ae")
    assert detector.provenance_["backend"].startswith(saved)
    assert detector.network_.jit_compile == fresh.jit_compile
    difference = abs(detector.decision_function(x) - expected["detector"])
    print(saved + "/detector", difference.max() / abs(expected["detector"]).max())
    steps = int(detector.network_.optimizer.iterations)
    detector.partial_fit(x)
    assert int(detector.network_.optimizer.iterations) == steps + 2
"""
BOUNDS = {"model": 5e-7, "detector": 1e-5}


@pytest.mark.parametrize(
    ("savers", "loaders"),
    [
        (("torch",), ("jax",)),
        pytest.param(BACKENDS, BACKENDS, marks=pytest.mark.slow),
    ],
    ids=["torch to jax", "all"],
)
def test_saved_models_and_estimators_load_on_other_backends(python, savers, loaders):
    for backend in savers:
        python(backend, SAVE, backend)
    for backend in loaders:
        others = [name for name in savers if name != backend]
        found = python(backend, LOAD, ",".join(others))
        assert len(found) == len(others) * len(BOUNDS)
        for name, difference in found.items():
            assert float(difference) < BOUNDS[name.split("/")[1]], (backend, name, difference)


TRAIN_IN_PYTORCH = """
import sys
sys.path.append(sys.argv[1])  # the packages of the environment with PyTorch, searched last
import numpy as np, torch, ae_multi
x = np.load("x.npy")
model = ae_multi.DeepAutoencoder((16, 8), 4, (28, 28, 1), seed=6)
model.compile()
model.fit(x, epochs=2, verbose=0)
module = ae_multi.to_torch(model)
images = torch.from_numpy(x)
with torch.no_grad():
    print("out", abs(module(images).numpy() - model.reconstruct(x)).max())
optimizer = torch.optim.Adam(module.parameters(), 1e-3)
for _ in range(20):
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(module(images), images)
    loss.backward()
    optimizer.step()
before = ((model.reconstruct(x) - x) ** 2).mean()
ae_multi.from_torch(module, model)
with torch.no_grad():
    print("loaded", abs(module(images).numpy() - model.reconstruct(x)).max())
print("gain", ((model.reconstruct(x) - x) ** 2).mean() / before)
import keras
assert keras.config.backend() == "jax"
"""


def test_weights_trained_in_plain_pytorch_are_loaded_on_jax(python):
    code = "import site; print('packages', site.getsitepackages()[0])"
    packages = python("torch", code, "")["packages"]
    found = python("jax", TRAIN_IN_PYTORCH, packages)
    assert float(found["out"]) < 1e-6
    assert float(found["loaded"]) < 1e-6
    assert float(found["gain"]) < 0.99
