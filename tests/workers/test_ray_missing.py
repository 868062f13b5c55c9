"""Workers of Ray without the package ray."""

import sys

import pytest

from ae_multi.errors import BackendError
from ae_multi.workers import ray


def test_missing_package_is_reported(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BackendError, match=r"Ray to be installed.*pip install ray"):
        ray(print, 2)
