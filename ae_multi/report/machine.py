"""What results were measured on, and when."""

import datetime
import os
import platform
from pathlib import Path


def machine():
    """Date, operating system, processor and cores of this machine, as plain values."""
    return {
        "date": datetime.date.today().isoformat(),
        "system": platform.system(),
        "processor": _processor(),
        "cores": os.cpu_count(),
    }


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())
