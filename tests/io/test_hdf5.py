"""HDF5 files of weights that contain anything but arrays of numbers are refused."""

import io
import struct

import pytest

from ae_multi.errors import InputError

pytestmark = [pytest.mark.backend]

once = pytest.mark.once


def altered(model_entries, change):
    """Return the bytes of the weights file after ``change(h5py, root, name, array)``.

    ``root`` is the open file, and ``name`` the path of one of its arrays.
    """
    import h5py

    file = io.BytesIO(model_entries["model.weights.h5"])
    with h5py.File(file, "r+") as root:
        names = []
        root.visititems(lambda name, entry: names.append(name) if hasattr(entry, "shape") else None)
        change(h5py, root, names[0], root[names[0]][()])
    return file.getvalue()


def external_link(h5py, root, name, array):
    del root[name]
    root[name] = h5py.ExternalLink("secret.h5", "/secret")


def soft_link(h5py, root, name, array):
    root["copy"] = h5py.SoftLink(f"/{name}")


def external_data(h5py, root, name, array):
    del root[name]
    root.create_dataset(name, array.shape, array.dtype, external="/etc/passwd")


def virtual(h5py, root, name, array):
    del root[name]
    layout = h5py.VirtualLayout(array.shape, array.dtype)
    layout[...] = h5py.VirtualSource("secret.h5", "secret", shape=array.shape)
    root.create_virtual_dataset(name, layout)


def terabytes(h5py, root, name, array):
    del root[name]
    root.create_dataset(name, (1 << 40,), "f4")


def bomb(h5py, root, name, array):
    del root[name]
    root.create_dataset(name, (1 << 30,), "f4", compression="gzip", chunks=(1 << 20,))


def text(h5py, root, name, array):
    root["text"] = ["text"]


def cycle(h5py, root, name, array):
    root["again"] = root["/"]


def twice(h5py, root, name, array):
    root["again"] = root[name]


@once
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (external_link, "a ExternalLink"),
        (soft_link, "a SoftLink"),
        (external_data, "data in another file"),
        (virtual, "data in another file"),
        (terabytes, "4,398,046,511,104 bytes, of which 0 are stored"),
        (bomb, "chunked data"),
        (text, "values of the type object"),
        (cycle, "an object with several names"),
        (twice, "an object with several names"),
    ],
)
def test_links_external_and_oversized_data_are_refused(load, model_entries, change, message):
    with pytest.raises(InputError, match=message):
        load(weights=altered(model_entries, change))


@once
def test_cyclic_free_list_is_refused(load, model_entries):
    """The HDF5 library would not terminate."""
    content = bytearray(model_entries["model.weights.h5"])
    heap = content.index(b"HEAP\0")
    size, _, data = struct.unpack("<3Q", content[heap + 8 : heap + 32])
    block = size - 32
    content[heap + 16 : heap + 24] = struct.pack("<Q", block)
    content[data + block : data + block + 16] = struct.pack("<2Q", block, 16)
    with pytest.raises(InputError, match="a cycle of free blocks"):
        load(weights=bytes(content))
