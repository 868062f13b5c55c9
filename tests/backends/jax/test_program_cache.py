"""Compiled programs are reused for the same model and options (JAX)."""

import os

import pytest

pytestmark = pytest.mark.backend

CODE = """
import os
import numpy as np
import ae_multi
from ae_multi import backends

backends.current().keep_programs("programs")
x = np.zeros((8, 28, 28, 1), np.float32)
for soon in (False, False, True):
    if soon:
        backends.current().compile_soon()
    model = ae_multi.DeepAutoencoder(seed=0)
    model.compile()
    model.train_on_batch(x)
    print(len(os.listdir("programs")) if os.path.exists("programs") else None)
"""


@pytest.fixture
def run(backend, fresh_python):
    if backend != "jax":
        pytest.skip("only JAX has a cache folder that is set")

    def run(folder):
        done = fresh_python(CODE, KERAS_BACKEND="jax", JAX_COMPILATION_CACHE_DIR=folder)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    return run


def test_rebuilt_model_reuses_its_program_unless_options_differ(run):
    first, second, soon = map(int, run(None))
    assert 0 < first == second < soon


def test_configured_cache_folder_is_not_replaced(run, tmp_path):
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
        pytest.skip("this package caches programs of JAX only")

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


def test_next_process_reuses_undamaged_programs(train, tmp_path):
    first, hits = train()
    stored = programs(tmp_path)
    assert stored
    assert hits == 0
    second, hits = train()
    assert (second, programs(tmp_path)) == (first, stored)
    assert hits > 0
    for path in stored:
        path.write_bytes(path.read_bytes()[:100])
    assert train() == (first, 0)
    assert all(path.stat().st_size > 100 for path in programs(tmp_path))  # written again


def test_training_uses_the_configured_cache_folder(train, tmp_path):
    configured = str(tmp_path / "configured")
    train(JAX_COMPILATION_CACHE_DIR=configured)
    assert os.listdir(configured)
    assert programs(tmp_path) == []


def test_training_works_without_a_cache_folder(train, tmp_path):
    (tmp_path / "cache").write_text("a file, not a folder")
    assert train()[1] == 0


def test_oldest_programs_are_removed_beyond_the_size_limit(backend, tmp_path, monkeypatch):
    if backend != "jax":
        pytest.skip("this package caches programs of JAX only")
    from ae_multi.backends.jax import program_cache

    monkeypatch.setattr(program_cache, "_MAX_BYTES", 250)
    for age, name in enumerate("cab"):
        (tmp_path / name).write_bytes(bytes(100))
        os.utime(tmp_path / name, (age, age))
    program_cache._limit(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
