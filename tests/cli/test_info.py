"""`ae-multi info`."""

from importlib import metadata

import pytest

from ae_multi.cli import info


@pytest.mark.slow
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


def test_version_of_keras_may_be_its_development_version(monkeypatch):
    def version(package):
        if package == "keras":
            raise metadata.PackageNotFoundError(package)
        return f"version of {package}"

    monkeypatch.setattr(metadata, "version", version)
    assert info._version("keras") == "version of keras-nightly"
