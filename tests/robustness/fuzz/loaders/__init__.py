"""All loaders of the package, with valid files and checks of loaded content."""

from pathlib import Path

from tests.robustness.fuzz.loaders import data, handed_over, models, settings, weights
from tests.robustness.fuzz.loaders.loader import Loader

__all__ = ["LOADERS", "Loader", "write_seeds"]

LOADERS = {
    **models.LOADERS,
    **weights.LOADERS,
    **data.LOADERS,
    **handed_over.LOADERS,
    **settings.LOADERS,
}


def write_seeds(folder, names):
    """Write the files of the named loaders, each in its own subfolder of ``folder``."""
    for name in names:
        (Path(folder) / name).mkdir(parents=True)
        for seed, write in LOADERS[name].seeds().items():
            write(Path(folder) / name / f"{seed}{LOADERS[name].suffix}")
