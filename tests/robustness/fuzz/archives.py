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
    """Bytes do not have the expected format, for example since an earlier mutation damaged them."""


def read_entries(content):
    """Return a dict of entry name to bytes.

    Raises:
        UnreadableError: not an archive, or one of more than 64 MiB uncompressed.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(info.file_size for info in archive.infolist()) > 1 << 26:
                raise UnreadableError("a bomb")
            return {name: archive.read(name) for name in archive.namelist()} or {"x": b""}
    except Exception as error:
        raise UnreadableError from error


def archive(pairs, compression=zipfile.ZIP_STORED):
    """Return the bytes of a zip archive of pairs (name or `ZipInfo`, bytes)."""
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", compression) as file:
        warnings.simplefilter("ignore")
        for name, content in pairs:
            # `ZipInfo` has a constant time, so that archives are reproducible.
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name)
            file.writestr(info, content, compression)
    return buffer.getvalue()


def sealed(rng, files):
    """Return an archive of ``files``; 95 % of those with a manifest get correct digests."""
    if {"manifest.json", "manifest.sha256"} <= set(files) and rng.random() < 0.95:
        files = dict(files)
        parts = {name: _sha256(part) for name, part in files.items() if "manifest." not in name}
        with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
            manifest = json.loads(files["manifest.json"])
            if manifest.get("parts") != parts:
                files["manifest.json"] = json.dumps({**manifest, "parts": parts}).encode()
        files["manifest.sha256"] = _sha256(files["manifest.json"]).encode()
    return archive(files.items())


def _sha256(content):
    return hashlib.sha256(content).hexdigest()


# The mutations below take a `random.Random`, the entries of the archive to mutate and the entries
# of another archive, both as dicts of name to bytes, and return the bytes of an archive.


def _any_name(rng, files):
    return rng.choice(list(files))


def swapped(rng, files, other):
    """Exchange the contents of two entries."""
    one, two = _any_name(rng, files), _any_name(rng, files)
    return sealed(rng, {**files, one: files[two], two: files[one]})


def borrowed(rng, files, other):
    """Take an entry of another file."""
    name = _any_name(rng, other)
    return sealed(rng, {**files, name: other[name]})


def missing(rng, files, other):
    """Remove an entry."""
    name = _any_name(rng, files)
    return sealed(rng, {key: value for key, value in files.items() if key != name})


def renamed(rng, files, other):
    """Give an entry a path outside the archive."""
    files = dict(files)
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
    key = _any_name(rng, files)
    files[name] = files[key] if rng.random() < 0.5 else files.pop(key)
    return sealed(rng, files)


def doubled(rng, files, other):
    """Duplicate an entry with different bytes."""
    name = _any_name(rng, files)
    return archive([*files.items(), (name, rng.choice([b"", other.get(name, b"x")]))])


def linked(rng, files, other):
    """Make an entry a symbolic link."""
    name = _any_name(rng, files)
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return archive([(info if key == name else key, part) for key, part in files.items()])


def packed(rng, files, other):
    """Compress all entries."""
    compressions = zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA
    return archive(files.items(), rng.choice(compressions))


def bomb(rng, files, other):
    """Replace an entry by 256 MiB or 1 GiB of zeros, compressed a thousandfold."""
    name = _any_name(rng, files)
    return with_bomb(files, name, rng.choice([1 << 28, 1 << 30]))


def with_bomb(files, name, size):
    """Return an archive with ``size`` zeros as the entry ``name``, compressed a thousandfold."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = compressor.compress(bytes(1 << 20)) + compressor.flush(zlib.Z_FULL_FLUSH)
    stream = block * (size >> 20) + compressor.flush()
    content = bytearray(archive([*((k, v) for k, v in files.items() if k != name), (name, stream)]))
    # The entry is written as stored; the directory then declares it as deflated, with its size.
    position = content.rindex(_CENTRAL)
    content[position + 10 : position + 12] = struct.pack("<H", zipfile.ZIP_DEFLATED)
    content[position + 24 : position + 28] = struct.pack("<I", size & 0xFFFFFFFF)
    begin = struct.unpack("<I", content[position + 42 : position + 46])[0]
    content[begin + 8 : begin + 10] = struct.pack("<H", zipfile.ZIP_DEFLATED)
    return bytes(content)


def _directory_positions(content):
    """Return the positions of the entries of the directory."""
    return [start for start in range(len(content) - 46) if content[start : start + 4] == _CENTRAL]


def lying(rng, files, other):
    """Change a number in an entry of the directory."""
    content = bytearray(archive(files.items()))
    position = rng.choice(_directory_positions(content))
    offset, width = rng.choice(
        [(8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2), (38, 4), (42, 4)]
    )
    value = rng.choice([0, 1, 2**31, 2**32 - 1, rng.randrange(2**32)]) % 256**width
    content[position + offset : position + offset + width] = value.to_bytes(width, "little")
    return bytes(content)


def overlapping(rng, files, other):
    """Let two entries of the directory refer to the same bytes."""
    content = bytearray(archive(files.items()))
    positions = _directory_positions(content)
    one, two = rng.choice(positions), rng.choice(positions)
    content[one + 42 : one + 46] = content[two + 42 : two + 46]
    return bytes(content)


def checksum(rng, files, other):
    """Change a bit of an entry without correcting its checksum."""
    content = bytearray(archive(files.items()))
    part = files[_any_name(rng, files)]
    position = content.find(part) if part else -1
    if position >= 0:
        content[position + rng.randrange(len(part))] ^= 1 << rng.randrange(8)
    return bytes(content)


def nested(rng, files, other):
    """Put the archive into an entry of itself, or after a line of text."""
    inner = archive(files.items())
    outer = sealed(rng, {**files, _any_name(rng, files): inner})
    return rng.choice([outer, b"#!/bin/sh\n" + inner])


def many(rng, files, other):
    """Add 3,000 empty entries."""
    return archive([*files.items(), *((f"e{number}", b"") for number in range(3000))])


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
