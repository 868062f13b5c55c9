"""Random mutations of files according to their formats.

A mutation may descend into nested files: from an estimator to its model and to the model's
weights. Most checksums and digests are corrected, so that the change reaches the inner reader.
"""

import functools
import gzip
import io
import json
import pickle
import struct
import zlib

from tests.robustness.fuzz import archives
from tests.robustness.fuzz.values import CODE, NASTY, Raw, dumps


def mutate(rng, content, other):
    """Mutate ``content``; return (description, bytes).

    Args:
        rng: `random.Random`.
        content: bytes of a valid file.
        other: bytes of another file of the same loader, to take parts from.
    """
    fmt = next((fmt for fmt in FORMATS if content.startswith(fmt.magic)), None)
    # Every fourth mutation ignores the format.
    if fmt is None or rng.random() < 0.25:
        name = rng.choice(list(BYTES))
        return name, BYTES[name](rng, content, other)
    try:
        return fmt.mutate(rng, content, other)
    except archives.UnreadableError:  # `other` and inner parts may have any format
        return "flip", flip(rng, content, other)


# Mutations of bytes.


def flip(rng, content, other):
    """Flip some bits."""
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 8, 64])):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def cut(rng, content, other):
    """Cut off the end."""
    return content[: rng.randrange(len(content) + 1)]


def cut_out(rng, content, other):
    """Cut out a piece."""
    begin = rng.randrange(len(content) + 1)
    return content[:begin] + content[begin + rng.choice([1, 2, 4, 8, 100, 1000]) :]


def put_in(rng, content, other):
    """Insert bytes."""
    place = rng.randrange(len(content) + 1)
    return content[:place] + rng.randbytes(rng.choice([1, 2, 4, 8, 100])) + content[place:]


def oversize(rng, content, other):
    """Overwrite bytes, most often of a header, with the largest number of their width."""
    width = rng.choice([1, 2, 4, 4, 8])
    place = rng.randrange(min(len(content), rng.choice([16, 128, 1024, 1 << 30])) + 1)
    largest = rng.choice(
        [b"\xff" * width, b"\x7f" + b"\xff" * (width - 1), b"\xff" * (width - 1) + b"\x7f"]
    )
    return content[:place] + largest + content[place + width :]


def blank(rng, content, other):
    """Set a piece to zeros."""
    begin, length = rng.randrange(len(content) + 1), rng.choice([4, 16, 512, 4096])
    return content[:begin] + bytes(len(content[begin : begin + length])) + content[begin + length :]


def repeat(rng, content, other):
    """Repeat a piece: 2 or 1,000 copies of it in a row."""
    begin, length = rng.randrange(len(content) + 1), rng.choice([1, 8, 64, 512])
    piece = content[begin : begin + length]
    return content[:begin] + piece * rng.choice([2, 2, 1000]) + content[begin + length :]


def splice(rng, content, other):
    """Join the beginning of one file and the end of another."""
    return content[: rng.randrange(len(content) + 1)] + other[rng.randrange(len(other) + 1) :]


def replace(rng, content, other):
    """Replace the content by nothing, noise, an empty archive or a pickle."""
    return rng.choice([b"", rng.randbytes(300), b"PK\5\6" + bytes(18), pickle.dumps(CODE)])


def lines(rng, content, other):
    """Replace a field of a table."""
    rows = content.split(b"\n")
    row = rng.randrange(len(rows))
    fields = rows[row].split(b",")
    fields[rng.randrange(len(fields))] = rng.choice(
        [
            b"1e999",
            b"nan",
            b"9" * 5000,
            b'"',
            b"\0",
            b"\xff",
            b"",
            b"0x10",
            b"1_0",
            b"-0",
            b"true",
            b'"' + b"x" * 200_000 + b'"',
            b",".join([b"1"] * 3000),
            "１".encode(),
        ]
    )
    rows[row] = b",".join(fields)
    return b"\n".join(rows)


BYTES = {
    f.__name__: f
    for f in (flip, cut, cut_out, put_in, oversize, blank, repeat, splice, replace, lines)
}


# Mutations of formats.


class Format:
    """A file format, recognised by its first bytes.

    Args:
        magic: the first bytes.
        mutate: function of (rng, content, other) that returns (description, bytes).
    """

    def __init__(self, magic, mutate):
        self.magic, self.mutate = magic, mutate


def _zip(rng, content, other):
    files, others = archives.read_entries(content), archives.read_entries(other)
    if rng.random() < 0.5:  # descend into an entry
        name = rng.choice(list(files))
        description, files[name] = mutate(rng, files[name], others.get(name, files[name]))
        return f"{name}: {description}", archives.sealed(rng, files)
    trick = rng.choice(list(archives.TRICKS))
    return trick, archives.TRICKS[trick](rng, files, others)


def _gzip(rng, content, other):
    try:
        inner = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise archives.UnreadableError from error
    if rng.random() < 0.1:
        return "bomb", gzip.compress(inner[:4] + b"\xff" * 12, mtime=0) + _zeros() * 4
    description, inner = mutate(rng, inner, inner)
    return f"inside: {description}", gzip.compress(inner, 1, mtime=0)


@functools.cache
def _zeros():
    """Return 64 MiB of zeros, compressed."""
    return gzip.compress(bytes(1 << 26), mtime=0)


def _json(rng, content, other):
    try:
        value, others = json.loads(content), json.loads(other)
    except (ValueError, RecursionError) as error:
        raise archives.UnreadableError from error
    for _ in range(rng.choice([1, 1, 1, 3])):
        value = _change(rng, value, others)
    return "json", dumps(rng, value).encode(errors="surrogatepass")


def _change(rng, value, others):
    """Return ``value`` with one of the values in it replaced, removed, renamed or duplicated."""
    if isinstance(value, dict) and value and rng.random() < 0.93:
        value = dict(value)
        key = rng.choice(list(value))
        choice = rng.random()
        if choice < 0.8:
            inner = others.get(key) if isinstance(others, dict) else None
            value[key] = _change(rng, value[key], inner)
        elif choice < 0.87:
            del value[key]
        elif choice < 0.94:
            value[rng.choice([*value, "x", "__class__", "class_name", "\ud800"])] = value.pop(key)
        else:
            value[Raw(json.dumps(key))] = rng.choice(NASTY)  # a duplicate key
        return value
    if isinstance(value, list) and value and rng.random() < 0.9:
        value = list(value)
        place = rng.randrange(len(value))
        choice = rng.random()
        if choice < 0.8:
            inner = others[place] if isinstance(others, list) and place < len(others) else None
            value[place] = _change(rng, value[place], inner)
        elif choice < 0.9:
            del value[place]
        else:
            value *= rng.choice([2, 50])
        return value
    if others is not None and rng.random() < 0.3:
        return others
    if isinstance(value, int) and not isinstance(value, bool) and rng.random() < 0.6:
        return rng.choice([value + 1, value - 1, -value, value * 10, value * 10**6, 10**9, 0])
    return rng.choice(NASTY)


def _npy(rng, content, other):
    length = struct.unpack("<H", content[8:10])[0]
    header, data = content[10 : 10 + length].decode("latin1"), content[10 + length :]
    descr = header.split("'descr': ")[-1].split(", 'fortran")[0]
    shape = header.split("'shape': ")[-1].split(", }")[0].split("}")[0].strip()
    done = rng.choice(["shape", "type", "order", "version", "length", "pickle", "data"])
    version = 1
    if done == "shape":
        shape = rng.choice(
            [
                "(1000000000000,)",
                "(-1,)",
                "()",
                "(0,)",
                "(2, 3)",
                "(True,)",
                "(1.5,)",
                "5",
                "'x'",
                f"({10**30},)",
                "(0, 10000000000000000000000)",
                str((1,) * 70),
                "(" * 500,
                f"{shape} * 9",
            ]
        )
    elif done == "type":
        descr = rng.choice(
            [
                "'|O'",
                "'|V4'",
                "'<U1000000000'",
                "'<f8'",
                "'>f4'",
                "'<i2'",
                "'|b1'",
                "'<M8[ns]'",
                "[('a', '<f4')]",
                "('<f4', (2,))",
                "'<f4,<f4'",
                "'nonsense'",
                "7",
                "'|S0'",
                "'<U0'",
            ]
        )
    elif done == "version":
        version = rng.choice([0, 2, 3, 255])
    elif done == "pickle":
        descr, data = "'|O'", pickle.dumps([CODE])
    elif done == "data":
        data = BYTES[rng.choice(["flip", "cut", "put_in", "blank"])](rng, data, data)
    fortran = done == "order" and "False" in header
    text = f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}\n".encode()
    size = rng.choice([0, len(text) // 2, 65535]) if done == "length" else len(text)
    packed = struct.pack("<H" if version == 1 else "<I", size)
    return f"npy {done}", b"\x93NUMPY" + bytes([version, 0]) + packed + text + data


def _hdf5(rng, content, other):
    if rng.random() < 0.7:
        name = rng.choice(["flip", "oversize", "cut", "blank", "repeat", "cut_out", "splice"])
        return name, BYTES[name](rng, content, other)
    import h5py

    file = io.BytesIO(content)
    try:
        with h5py.File(file, "r+") as root:
            found = []
            root.visititems(
                lambda name, entry: found.append(name) if hasattr(entry, "shape") else None
            )
            name = rng.choice(found)
            return _relink(rng, root, name, h5py), file.getvalue()
    except Exception as error:  # damaged by an earlier mutation
        raise archives.UnreadableError from error
    finally:
        file.seek(0)


def _relink(rng, root, name, h5py):
    """Replace the data set ``name`` of an HDF5 file; return a description."""
    array = root[name][()]
    done = rng.choice(
        [
            "external link",
            "soft link",
            "external data",
            "virtual",
            "huge",
            "packed",
            "text",
            "cycle",
            "twice",
            "shape",
            "gone",
            "bytes",
        ]
    )
    del root[name]
    if done == "external link":
        root[name] = h5py.ExternalLink("/tmp/secret.h5", "/secret")
    elif done == "soft link":
        root[name] = h5py.SoftLink("/optimizer")
    elif done == "external data":
        root.create_dataset(name, array.shape, array.dtype, external="/etc/passwd")
    elif done == "virtual":
        layout = h5py.VirtualLayout(array.shape or (1,), array.dtype)
        layout[...] = h5py.VirtualSource("/tmp/secret.h5", "secret", shape=array.shape or (1,))
        root.create_virtual_dataset(name, layout)
    elif done == "huge":
        root.create_dataset(name, (1 << 40,), "f4")
    elif done == "packed":
        root.create_dataset(name, (1 << 26,), "f4", compression="gzip", chunks=(1 << 20,))
    elif done == "text":
        root.create_dataset(name, data=["text"])
    elif done == "cycle":
        root[name] = root["/"]
    elif done == "twice":
        root[name] = array
        root[f"{name}_again"] = root[name]
    elif done == "shape":
        root[name] = array.reshape(-1)[:-1]
    elif done == "bytes":
        root[name] = array.astype("f8")
    root.flush()
    return f"hdf5 {done}"


FORMATS = (
    Format(b"PK\3\4", _zip),
    Format(b"\x1f\x8b", _gzip),
    Format(b"{", _json),
    Format(b"\x93NUMPY", _npy),
    Format(b"\x89HDF", _hdf5),
)
