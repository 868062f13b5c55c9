"""What trained an estimator, for whoever finds its file later."""

import datetime
import platform

import numpy as np
import sklearn

import ae_multi
from ae_multi import backends
from ae_multi._keras import keras


def provenance():
    """Versions, backend, device and date, as plain values."""
    backend = backends.current()
    return {
        "ae_multi": ae_multi.__version__,
        "backend": f"{keras.config.backend()} {backend.version()}",
        "device": backend.device(),
        "keras": keras.__version__,
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "python": platform.python_version(),
        "date": datetime.date.today().isoformat(),
    }
