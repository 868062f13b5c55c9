"""Check that backends agree: record traces in child processes and compare them."""

from ae_multi.parity.check import check
from ae_multi.parity.report import Report

__all__ = ["Report", "check"]
