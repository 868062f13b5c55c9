"""Mutated files as functions of seed, loader and number, so that each can be reproduced.

Weights and times in the seed files differ between runs; the mutations do not.
"""

import random
from pathlib import Path

from tests.robustness.fuzz.mutations import mutate


def file_counts(loaders, files):
    """Return a dict of loader name to its number of files, at least one.

    Args:
        loaders: dict of name to `Loader`.
        files: number of files of all loaders together.
    """
    total = sum(loader.share for loader in loaders.values())
    counts = {name: max(1, int(files * loader.share / total)) for name, loader in loaders.items()}
    counts[next(iter(counts))] += max(0, files - sum(counts.values()))
    return counts


def make_file(seed, loader, number, seeds):
    """Make one file; return (description of the mutation, file name, bytes).

    Args:
        seed: integer.
        loader: name of the loader.
        number: number of the file.
        seeds: folder with a subfolder of valid files for each loader.
    """
    rng = random.Random(f"{seed}/{loader}/{number}")
    files = sorted((Path(seeds) / loader).iterdir())
    one, other = rng.choice(files), rng.choice(files)
    mutation, content = mutate(rng, one.read_bytes(), other.read_bytes())
    if rng.random() < 0.1:
        second, content = mutate(rng, content, other.read_bytes())
        mutation = f"{mutation}, then {second}"
    return f"{one.stem}: {mutation}", f"file{one.suffix}", content
