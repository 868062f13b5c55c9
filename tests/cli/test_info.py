"""`ae-multi info`."""

import pytest


@pytest.mark.backend
@pytest.mark.once
def test_info_names_versions_devices_and_data(here, monkeypatch, tmp_path):
    monkeypatch.setenv("AE_MULTI_MNIST", "")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    done = here("info")
    assert done.returncode == 0, done.stderr
    assert "keras 3." in done.stdout
    assert done.stdout.count("not installed") == 2
    assert "or the bundled sample without a network" in done.stdout
    monkeypatch.setenv("AE_MULTI_MNIST", str(tmp_path))
    named = here("info")
    assert f"{tmp_path} (set by AE_MULTI_MNIST)" in named.stdout.replace("\n", "")
