"""State dicts in PyTorch files, read without PyTorch."""

import os
import pickle
import struct
import zipfile

import numpy as np
import pytest

from ae_multi.errors import InputError
from ae_multi.io import torch_checkpoint
from tests.reference.pt_files import write_pt

STATE = {
    "0.weight": np.arange(12, dtype=np.float32).reshape(3, 4),
    "0.turned": np.arange(6, dtype=np.float32).reshape(2, 3).T,
    "0.count": np.array(7),
    "0.none": np.empty((0, 3), np.float32),
}


def assert_equal(found, expected):
    assert list(found) == list(expected)
    for key, array in expected.items():
        assert found[key].dtype == array.dtype
        np.testing.assert_array_equal(found[key], array)


@pytest.mark.parametrize("within", [None, "state_dict", "model_state_dict"])
def test_state_dict_is_read(within, tmp_path):
    write_pt(tmp_path / "state.pt", STATE, within)
    assert_equal(torch_checkpoint.read(tmp_path / "state.pt"), STATE)


@pytest.mark.backend
@pytest.mark.parametrize("protocol", [2, 3])
def test_files_written_by_pytorch_are_read(protocol, tmp_path):
    torch = pytest.importorskip("torch")
    path, module = tmp_path / "module.pt", torch.nn.BatchNorm1d(5)
    # PyTorch reads the file that the reference writes.
    write_pt(path, STATE)
    assert_equal({k: v.numpy() for k, v in torch.load(path, weights_only=True).items()}, STATE)
    matrix = torch.randn(4, 6)
    state = {**module.state_dict(), "view": matrix[1:3, ::2], "transposed": matrix.T,
             "half": matrix.bfloat16(), "parameter": torch.nn.Parameter(matrix)}  # fmt: skip
    optimizer = torch.optim.Adam(module.parameters()).state_dict()
    for saved in (state, {"epoch": 3, "model_state_dict": state, "optimizer": optimizer}):
        torch.save(saved, path, pickle_protocol=protocol)
        tensors = (v.detach() for v in state.values())
        arrays = (v.float().numpy() if v.is_floating_point() else v.numpy() for v in tensors)
        assert_equal(torch_checkpoint.read(path), dict(zip(state, arrays, strict=True)))
    torch.save(module, path)
    with pytest.raises(InputError, match="save a module's state_dict"):
        torch_checkpoint.read(path)


class Bomb:
    def __reduce__(self):
        return os.mkdir, (os.environ["AE_MULTI_BOMB"],)


def replace_entries(path, **replacements):
    """Replace some entries of the file."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, replacements.get(name.rpartition("/")[2], content))


def test_pickled_code_is_not_executed(tmp_path, monkeypatch):
    monkeypatch.setenv("AE_MULTI_BOMB", str(tmp_path / "bang"))
    write_pt(tmp_path / "state.pt", STATE)
    for protocol in range(2, 6):
        bomb = {"data.pkl": pickle.dumps({"0.weight": Bomb()}, protocol)}
        replace_entries(tmp_path / "state.pt", **bomb)
        with pytest.raises(InputError, match=r"mkdir|the instruction"):
            torch_checkpoint.read(tmp_path / "state.pt")
    assert not (tmp_path / "bang").exists()


def pickled_sizes(sizes):
    """Return the pickled shape and strides of a matrix: ``sizes`` are two numbers of each."""
    return b"".join(
        b"(" + b"".join(b"J" + struct.pack("<i", size) for size in pair) + b"t"
        for pair in (sizes[:2], sizes[2:])
    )


def test_inconsistent_files_are_refused(tmp_path):
    path = tmp_path / "state.pt"
    for entries, message in [
        ({"0": b"\0" * 44}, "'0.weight'.*shape .3, 4.*44 bytes"),
        ({"0": b"\0" * 47}, "47 bytes"),
        ({"0": b"\0" * 52}, "52 bytes"),
        ({"byteorder": b"big"}, "little-endian"),
        ({"data.pkl": pickle.dumps([1, 2], 2)}, "a list"),
        ({"data.pkl": pickle.dumps({"a": 1}, 2)}, "a dict with a"),
        ({"data.pkl": b"\x80\x02X"}, "numbers and text alone"),
        ({"data.pkl": b""}, "numbers and text alone"),
        ({"data.pkl": b" " * (1 << 24)}, "bytes of names"),
    ]:
        write_pt(path, STATE)
        replace_entries(path, **entries)
        with pytest.raises(InputError, match=message):
            torch_checkpoint.read(path)
    for index, size, message in [
        (1, 5, "numbers for shape .3, 5"),  # more than the storage contains
        (0, 1 << 30, "numbers for shape"),
        (3, 2, "numbers for shape"),  # a larger stride
        (2, -4, "a dense tensor"),
    ]:
        write_pt(path, STATE)
        with zipfile.ZipFile(path) as archive:
            names = archive.read("archive/data.pkl")
        sizes = [3, 4, 4, 1]
        before, sizes[index] = pickled_sizes(sizes), size
        replace_entries(path, **{"data.pkl": names.replace(before, pickled_sizes(sizes), 1)})
        with pytest.raises(InputError, match=message):
            torch_checkpoint.read(path)
    path.write_bytes(b"\x80\x02}q\x00.")  # a bare pickle, as before PyTorch 1.6
    with pytest.raises(InputError, match="file of PyTorch"):
        torch_checkpoint.read(path)
