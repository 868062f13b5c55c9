"""Files in the format of `torch.save`, written without PyTorch."""

import struct
import zipfile

_KINDS = {"float32": "FloatStorage", "int64": "LongStorage"}


def write_pt(path, state, within=None):
    """Write a state dict of NumPy arrays.

    With ``within``, the file holds a dict of an epoch and, under this key, the state dict.
    """
    body = b"\x80\x02" + (b"}(" + _text("epoch") + b"K\x03" + _text(within) if within else b"")
    body += b"ccollections\nOrderedDict\n)R("
    for number, (key, array) in enumerate(state.items()):
        strides = tuple(stride // array.itemsize for stride in array.strides)
        body += _text(key) + b"ctorch._utils\n_rebuild_tensor_v2\n((" + _text("storage")
        body += f"ctorch\n{_KINDS[array.dtype.name]}\n".encode() + _text(str(number))
        body += _text("cpu") + _integer(array.size) + b"tQ" + _integer(0)
        body += _tuple(array.shape) + _tuple(strides) + b"\x89ccollections\nOrderedDict\n)RtR"
    body += b"u" + (b"u" if within else b"") + b"."
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", body)
        archive.writestr("archive/byteorder", "little")
        for number, array in enumerate(state.values()):
            archive.writestr(f"archive/data/{number}", array.tobytes("A"))
        archive.writestr("archive/version", "3\n")


def _text(text):
    return b"X" + struct.pack("<I", len(text.encode())) + text.encode()


def _integer(value):
    return b"J" + struct.pack("<i", value)


def _tuple(sizes):
    return b"(" + b"".join(map(_integer, sizes)) + b"t"
