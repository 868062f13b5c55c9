"""Which file comes when: a pure function of seed, loader and number, so that any can be made anew.

Weights and times of day that the package writes differ from one run to the next; the changes do
not. A file that was a fault is kept as it was.
"""

import random
from pathlib import Path

from tests.robustness.fuzz.mutations import mutate


def shares(loaders, files):
    """Dict of loader to how many of ``files`` it gets, every loader at least one.

    Args:
        loaders: dict of name to `Loader`.
        files: how many in all.
    """
    total = sum(loader.share for loader in loaders.values())
    counts = {name: max(1, int(files * loader.share / total)) for name, loader in loaders.items()}
    counts[next(iter(counts))] += max(0, files - sum(counts.values()))
    return counts


def made(seed, loader, number, seeds):
    """(what was done, name of the file, its bytes) of one file.

    Args:
        seed: integer.
        loader: name.
        number: which of the loader's files.
        seeds: folder that holds a folder of whole files for each loader.
    """
    rng = random.Random(f"{seed}/{loader}/{number}")
    files = sorted((Path(seeds) / loader).iterdir())
    one, other = rng.choice(files), rng.choice(files)
    done, content = mutate(rng, one.read_bytes(), other.read_bytes())
    if rng.random() < 0.1:
        again, content = mutate(rng, content, other.read_bytes())
        done = f"{done}, then {again}"
    return f"{one.stem}: {done}", f"file{one.suffix}", content
