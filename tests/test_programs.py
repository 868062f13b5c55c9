"""Programs that JAX has compiled are kept, and taken for the same model compiled alike."""

import os

import pytest

pytestmark = pytest.mark.backend

CODE = """
import os
import numpy as np
import ae_multi
from ae_multi import backends

backends.current().keep_programs("kept")
x = np.zeros((8, 28, 28, 1), np.float32)
for soon in (False, False, True):
    if soon:
        backends.current().compile_soon()
    model = ae_multi.DeepAutoencoder(seed=0)
    model.compile()
    model.train_on_batch(x)
    print(len(os.listdir("kept")) if os.path.exists("kept") else None)
"""


@pytest.fixture
def run(backend, fresh_python):
    if backend != "jax":
        pytest.skip("only JAX is told where to keep what it compiles")

    def run(folder):
        done = fresh_python(CODE, KERAS_BACKEND="jax", JAX_COMPILATION_CACHE_DIR=folder)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    return run


def test_a_model_made_anew_finds_its_program_unless_it_is_to_be_compiled_otherwise(run):
    first, second, soon = map(int, run(None))
    assert 0 < first == second < soon


def test_who_keeps_programs_elsewhere_goes_on_to(run, tmp_path):
    assert run(str(tmp_path / "elsewhere")) == ["None"] * 3
    assert len(os.listdir(tmp_path / "elsewhere")) > 0
