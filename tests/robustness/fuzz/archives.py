"""Mutations of zip archives."""

import contextlib
import hashlib
import io
import json
import stat
import struct
import warnings
import zipfile
import zlib

_CENTRAL = b"PK\1\2"


class UnreadableError(ValueError):
    """Raised for bytes that are no archive, since an earlier mutation damaged them."""


def entries(content):
    """Dict of the entries' names to bytes."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(info.file_size for info in archive.infolist()) > 1 << 26:
                raise UnreadableError("a bomb")
            return {name: archive.read(name) for name in archive.namelist()} or {"x": b""}
    except Exception as error:
        raise UnreadableError from error


def archive(held, packing=zipfile.ZIP_STORED):
    """A zip archive of (name or `ZipInfo`, bytes)."""
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", packing) as made:
        warnings.simplefilter("ignore")
        for name, content in held:
            # A constant time, so that archives are reproducible.
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name)
            made.writestr(info, content, packing)
    return file.getvalue()


def sealed(rng, held):
    """The archive of ``held``, mostly with correct digests."""
    if {"manifest.json", "manifest.sha256"} <= set(held) and rng.random() < 0.95:
        held = dict(held)
        parts = {name: _sha256(part) for name, part in held.items() if "manifest." not in name}
        with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
            manifest = json.loads(held["manifest.json"])
            if manifest.get("parts") != parts:
                held["manifest.json"] = json.dumps({**manifest, "parts": parts}).encode()
        held["manifest.sha256"] = _sha256(held["manifest.json"]).encode()
    return archive(held.items())


def _sha256(content):
    return hashlib.sha256(content).hexdigest()


def _another(rng, held):
    return rng.choice(list(held))


def swapped(rng, held, theirs):
    """Exchange the contents of two entries."""
    one, two = _another(rng, held), _another(rng, held)
    return sealed(rng, {**held, one: held[two], two: held[one]})


def borrowed(rng, held, theirs):
    """Take an entry of another file."""
    name = _another(rng, theirs)
    return sealed(rng, {**held, name: theirs[name]})


def missing(rng, held, theirs):
    """Remove an entry."""
    name = _another(rng, held)
    return sealed(rng, {key: value for key, value in held.items() if key != name})


def renamed(rng, held, theirs):
    """Give an entry a path outside the archive."""
    held = dict(held)
    name = rng.choice(
        [
            "../x",
            "../../x",
            "/tmp/x",
            "a/../../x",
            "C:\\x",
            "..\\x",
            "/",
            "a//b",
            ".",
            "x\0y",
            "é",
            "x" * 60_000,
            "assets/../../x",
            "assets/x",
        ]
    )
    key = _another(rng, held)
    held[name] = held[key] if rng.random() < 0.5 else held.pop(key)
    return sealed(rng, held)


def doubled(rng, held, theirs):
    """Duplicate an entry with different bytes."""
    name = _another(rng, held)
    return archive([*held.items(), (name, rng.choice([b"", theirs.get(name, b"x")]))])


def linked(rng, held, theirs):
    """Make an entry a symbolic link."""
    name = _another(rng, held)
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return archive([(info if key == name else key, part) for key, part in held.items()])


def packed(rng, held, theirs):
    """Compress all entries."""
    ways = zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA
    return archive(held.items(), rng.choice(ways))


def bomb(rng, held, theirs):
    """Add an entry of a gigabyte of zeros, compressed to a megabyte."""
    name = _another(rng, held)
    return with_bomb(held, name, rng.choice([1 << 28, 1 << 30]))


def with_bomb(held, name, size):
    """The archive with ``size`` zeros as the entry ``name``, compressed a thousandfold."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = squeeze.compress(bytes(1 << 20)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    stream = block * (size >> 20) + squeeze.flush()
    content = bytearray(archive([*((k, v) for k, v in held.items() if k != name), (name, stream)]))
    # Written as stored; then the directory declares it as deflated, with its size.
    place = content.rindex(_CENTRAL)
    content[place + 10 : place + 12] = struct.pack("<H", zipfile.ZIP_DEFLATED)
    content[place + 24 : place + 28] = struct.pack("<I", size & 0xFFFFFFFF)
    begin = struct.unpack("<I", content[place + 42 : place + 46])[0]
    content[begin + 8 : begin + 10] = struct.pack("<H", zipfile.ZIP_DEFLATED)
    return bytes(content)


def lying(rng, held, theirs):
    """Change a number in the directory or in a local header."""
    content = bytearray(archive(held.items()))
    places = [place for place in range(len(content) - 46) if content[place : place + 4] == _CENTRAL]
    place = rng.choice(places)
    offset, width = rng.choice(
        [(8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2), (38, 4), (42, 4)]
    )
    value = rng.choice([0, 1, 2**31, 2**32 - 1, rng.randrange(2**32)]) % 256**width
    content[place + offset : place + offset + width] = value.to_bytes(width, "little")
    return bytes(content)


def overlapping(rng, held, theirs):
    """Two entries of the directory that point at the same bytes."""
    content = bytearray(archive(held.items()))
    places = [place for place in range(len(content) - 46) if content[place : place + 4] == _CENTRAL]
    one, two = rng.choice(places), rng.choice(places)
    content[one + 42 : one + 46] = content[two + 42 : two + 46]
    return bytes(content)


def checksum(rng, held, theirs):
    """Change bytes without their checksum."""
    content = bytearray(archive(held.items()))
    part = held[_another(rng, held)]
    place = content.find(part) if part else -1
    if place >= 0:
        content[place + rng.randrange(len(part))] ^= 1 << rng.randrange(8)
    return bytes(content)


def nested(rng, held, theirs):
    """Put the archive into an archive, or behind other bytes."""
    inner = archive(held.items())
    return rng.choice([sealed(rng, {**held, _another(rng, held): inner}), b"#!/bin/sh\n" + inner])


def many(rng, held, theirs):
    """Add thousands of empty entries."""
    return archive([*held.items(), *((f"e{number}", b"") for number in range(3000))])


TRICKS = {
    f.__name__: f
    for f in (
        swapped,
        borrowed,
        missing,
        renamed,
        doubled,
        linked,
        packed,
        bomb,
        lying,
        overlapping,
        checksum,
        nested,
        many,
    )
}
