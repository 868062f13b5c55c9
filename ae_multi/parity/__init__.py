"""Check that backends agree: record traces in child processes and compare them."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ae_multi.parity.model_check import check as check
    from ae_multi.parity.recorded_traces import compare as compare
    from ae_multi.parity.recorded_traces import record as record
    from ae_multi.parity.report import Report as Report
    from ae_multi.parity.trace_file import TraceFile as TraceFile

# Imported on first access, so that the plugin for pytest loads nothing heavy at its start.
_HOME = {
    "Report": "ae_multi.parity.report",
    "TraceFile": "ae_multi.parity.trace_file",
    "check": "ae_multi.parity.model_check",
    "compare": "ae_multi.parity.recorded_traces",
    "record": "ae_multi.parity.recorded_traces",
}

__all__ = ["Report", "TraceFile", "check", "compare", "record"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
