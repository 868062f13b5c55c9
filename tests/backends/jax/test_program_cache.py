"""Compiled programs are cached, for the same model and options (JAX)."""

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


def test_rebuilt_model_reuses_its_program_unless_options_differ(run):
    first, second, soon = map(int, run(None))
    assert 0 < first == second < soon


def test_cache_folder_of_the_user_is_kept(run, tmp_path):
    assert run(str(tmp_path / "elsewhere")) == ["None"] * 3
    assert len(os.listdir(tmp_path / "elsewhere")) > 0


TRAINING = """
import jax
import numpy as np
import ae_multi

x = np.random.default_rng(0).random((64, 8, 8, 1), np.float32)
model = ae_multi.DeepAutoencoder(input_shape=(8, 8, 1), seed=0)
model.compile()
history = model.fit(x, epochs=2, verbose=0)
print(*history.history["loss"], sep=",")
print(jax.config.jax_compilation_cache_dir)
compiled = []
jax.monitoring.register_event_listener(lambda name, **more: compiled.append(name))
jax.jit(lambda a: a + 1)(1.0)
print([name for name in compiled if "cache_hits" in name or "tasks_using_cache" in name])
"""
COUNTING = """
import jax
found = []
jax.monitoring.register_event_listener(lambda name, **more: found.append(name))
"""
COUNTED = """
print(found.count("/jax/compilation_cache/cache_hits"))
"""


@pytest.fixture
def train(backend, fresh_python, tmp_path):
    if backend != "jax":
        pytest.skip("what other frameworks compile is not theirs to keep")

    def train(**more):
        env = {"AE_MULTI_CACHE": str(tmp_path / "cache"), "JAX_COMPILATION_CACHE_DIR": None}
        code = COUNTING + TRAINING + COUNTED
        done = fresh_python(code, KERAS_BACKEND="jax", **{**env, **more})
        assert done.returncode == 0, done.stderr
        assert "Error" not in done.stderr
        losses, folder, others, hits = done.stdout.splitlines()
        assert folder == str(more.get("JAX_COMPILATION_CACHE_DIR"))  # restored after the training
        assert others == "[]" or "JAX_COMPILATION_CACHE_DIR" in more  # other code is not cached
        return losses, int(hits)

    return train


def programs(folder):
    return sorted(path for path in folder.glob("cache/jax/*/*"))


def test_next_process_reuses_programs_that_are_not_damaged(train, tmp_path):
    first, hits = train()
    kept = programs(tmp_path)
    assert kept
    assert hits == 0
    second, hits = train()
    assert (second, programs(tmp_path)) == (first, kept)
    assert hits > 0
    for path in kept:
        path.write_bytes(path.read_bytes()[:100])
    assert train() == (first, 0)
    assert all(path.stat().st_size > 100 for path in programs(tmp_path))  # written again


def test_training_uses_the_cache_of_the_user(train, tmp_path):
    own = str(tmp_path / "own")
    train(JAX_COMPILATION_CACHE_DIR=own)
    assert os.listdir(own)
    assert programs(tmp_path) == []


def test_training_works_without_a_cache_folder(train, tmp_path):
    (tmp_path / "cache").write_text("a file, not a folder")
    assert train()[1] == 0


def test_oldest_programs_are_removed_beyond_the_size_limit(backend, tmp_path, monkeypatch):
    if backend != "jax":
        pytest.skip("only JAX's programs are kept by this package")
    from ae_multi.backends.jax import program_cache

    monkeypatch.setattr(program_cache, "_MAX_BYTES", 250)
    for age, name in enumerate("cab"):
        (tmp_path / name).write_bytes(bytes(100))
        os.utime(tmp_path / name, (age, age))
    program_cache._limit(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
