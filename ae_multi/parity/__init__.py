"""Whether backends agree: record in a process each, compare where no framework is loaded."""

from ae_multi.parity.check import check
from ae_multi.parity.comparison import Comparison, compare
from ae_multi.parity.settings import Settings
from ae_multi.parity.verdict import Report

__all__ = ["Comparison", "Report", "Settings", "check", "compare"]
