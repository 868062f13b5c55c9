"""A folder of checkpoints: damage, locks and full disks."""

import errno
import io
import os
import signal
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from ae_multi.checkpoints import Folder, Position
from ae_multi.errors import InputError
from ae_multi.io.serialization import PartsReader, PartsWriter

POSITIONS = [Position(0, 5), Position(1, 0), Position(1, 2), Position(11, 0)]


@pytest.fixture
def folder(tmp_path):
    """Yield a folder with a checkpoint at each of `POSITIONS`, which contains its number."""
    folder = Folder(tmp_path / "some" / "checkpoints", keep=4)
    for number, position in enumerate(POSITIONS):
        write(folder, position, number)
    yield folder
    folder.close()


def write(folder, position, number):
    writer = PartsWriter()
    plain = writer.plain(np.full(1000, number), "numbers")
    folder.write(position, {"numbers": plain}, writer.parts)


def newest(folder):
    """Return the position of the newest complete checkpoint and its number."""
    position, manifest, parts = folder.newest()
    return position, PartsReader(parts).value(manifest["numbers"])[-1]


def damage(folder, position, change):
    path = folder.path / position.name
    path.write_bytes(change(path.read_bytes()))


def test_newest_is_found_and_older_ones_are_removed(folder):
    assert newest(folder) == ((11, 0), 3)
    write(folder, Position(11, 1), 4)
    assert newest(folder) == ((11, 1), 4)
    assert folder.positions() == [*POSITIONS[1:], (11, 1)]


def change_array(content):
    """Return the archive with a changed array and valid checksums of the zip format."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            entry = bytearray(old.read(name))
            if name.endswith(".npy"):
                entry[-8] += 1
            new.writestr(name, bytes(entry))
    return changed.getvalue()


@pytest.mark.parametrize(
    "change",
    [
        change_array,
        lambda content: content[:-1],
        lambda content: b"",
        lambda content: content[:900] + bytes([content[900] ^ 1]) + content[901:],
    ],
    ids=["changed array", "truncated", "empty", "one bit"],
)
def test_damaged_checkpoint_is_skipped_and_logged(folder, caplog, change):
    damage(folder, POSITIONS[3], change)
    assert newest(folder) == (POSITIONS[2], 2)
    assert POSITIONS[3].name in caplog.text
    # The next write removes the damaged checkpoint.
    write(folder, Position(1, 3), 5)
    assert newest(folder) == ((1, 3), 5)
    assert POSITIONS[3] not in folder.positions()


def test_folder_with_only_damaged_checkpoints_is_refused(folder):
    for position in POSITIONS:
        damage(folder, position, lambda content: content[:100])
    with pytest.raises(InputError, match=r"Expected a complete checkpoint .* Received: 4, none"):
        folder.newest()


def test_empty_folder_has_no_newest_checkpoint(tmp_path):
    folder = Folder(tmp_path)
    assert folder.newest() is None
    folder.close()


def test_second_writer_is_refused(folder):
    with pytest.raises(InputError, match=r"no other training writes to\. Received: .*this process"):
        Folder(folder.path)
    code = f"from ae_multi.checkpoints import Folder; Folder({str(folder.path)!r})"
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert f"process {os.getpid()} holds" in other.stderr
    folder.close()
    Folder(folder.path).close()


def test_killed_writer_leaves_no_lock_and_no_partial_file(folder):
    folder.close()
    partial = folder.path / f".{POSITIONS[0].name[:-11]}-0123abcd.checkpoint"
    code = (
        "import time; from ae_multi.checkpoints import Folder\n"
        f"Folder({str(folder.path)!r}); print('locked', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"locked\n"
    partial.write_bytes(b"partial")
    with pytest.raises(InputError, match=f"process {child.pid} holds"):
        Folder(folder.path)
    assert partial.exists()
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    reopened = Folder(folder.path)
    assert not partial.exists()
    assert newest(reopened) == (POSITIONS[3], 3)
    reopened.close()


def test_full_disk_does_not_change_existing_checkpoints(folder, monkeypatch):
    def fail(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    before = sorted(folder.path.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space left"):
            write(folder, Position(12, 0), 5)
    assert sorted(folder.path.iterdir()) == before
    assert newest(folder) == (POSITIONS[3], 3)
    write(folder, Position(12, 0), 5)
    assert newest(folder) == ((12, 0), 5)


def test_write_that_fails_at_any_byte_leaves_no_file(folder):
    """A limit of the file size has the effect of a full disk."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (0, 1, 4000, 8500):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(OSError, match="File too large"):
                write(folder, Position(12, 0), 5)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert folder.positions() == POSITIONS
        assert not list(folder.path.glob(".epoch*"))


def test_unusable_folder_is_refused(tmp_path):
    file = tmp_path / "file"
    file.touch()
    for path in (file, file / "within", "/proc/checkpoints"):
        with pytest.raises(InputError, match="Expected a folder that checkpoints can be written"):
            Folder(path)
    with pytest.raises(InputError, match="Expected keep to be"):
        Folder(tmp_path / "new", keep=0)
