"""`ae-multi info`."""

from importlib import metadata

import pytest

from ae_multi.cli import info


@pytest.mark.slow
@pytest.mark.backend
@pytest.mark.once
def test_info_prints_versions_and_the_source_of_the_data(run_here, monkeypatch, tmp_path):
    monkeypatch.setenv("AE_MULTI_MNIST", "")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    process = run_here("info")
    assert process.returncode == 0, process.stderr
    assert "keras 3." in process.stdout
    assert process.stdout.count("not installed") == 2
    assert "or the bundled sample without a network" in process.stdout
    monkeypatch.setenv("AE_MULTI_MNIST", str(tmp_path))
    process = run_here("info")
    assert f"{tmp_path} (set by AE_MULTI_MNIST)" in process.stdout.replace("\n", "")


def test_version_of_keras_may_be_its_development_version(monkeypatch):
    def version(package):
        if package == "keras":
            raise metadata.PackageNotFoundError(package)
        return f"version of {package}"

    monkeypatch.setattr(metadata, "version", version)
    assert info._version("keras") == "version of keras-nightly"
