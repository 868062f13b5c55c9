"""Whether backends agree: record in a process each, compare where no framework is loaded."""

from ae_multi.parity.check import check
from ae_multi.parity.report import Report

__all__ = ["Report", "check"]
