"""The current backend and its description."""

import pytest


@pytest.mark.backend
def test_backend_reports_version_and_device(backend):
    from importlib import metadata

    from ae_multi import backends

    module = backends.current()
    assert module.__name__ == f"ae_multi.backends.{backend}"
    distribution = "tensorflow-cpu" if backend == "tensorflow" else backend
    assert module.version().startswith(metadata.version(distribution).partition("+")[0])
    assert module.device()
    module.full_precision()
    module.wait()


def test_unknown_backend_is_refused():
    from ae_multi import BackendError, backends

    message = r"torch, tensorflow, jax, numpy, openvino\. Received: 'theano'"
    with pytest.raises(BackendError, match=message):
        backends.get("theano")
