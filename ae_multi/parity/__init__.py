"""Whether backends agree: record in a process each, compare where no framework is loaded."""

from ae_multi.parity.check import Report, check
from ae_multi.parity.comparison import Comparison, compare
from ae_multi.parity.settings import Settings

__all__ = ["Comparison", "Report", "Settings", "check", "compare"]
