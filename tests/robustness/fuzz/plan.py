"""Files as functions of seed, loader and number, so that each can be reproduced.

Weights and times in the seed files differ between runs; the mutations do
not. Files that show a fault are kept.
"""

import random
from pathlib import Path

from tests.robustness.fuzz.mutations import mutate


def shares(loaders, files):
    """Dict of loader to its number of files, at least one.

    Args:
        loaders: dict of name to `Loader`.
        files: how many in all.
    """
    total = sum(loader.share for loader in loaders.values())
    counts = {name: max(1, int(files * loader.share / total)) for name, loader in loaders.items()}
    counts[next(iter(counts))] += max(0, files - sum(counts.values()))
    return counts


def made(seed, loader, number, seeds):
    """Make one file; return (description of the mutation, file name, bytes).

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
