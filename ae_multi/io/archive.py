"""Things of ours in one file each, without pickle: written whole, and read with care.

A file is a zip archive, nothing in it compressed:

    manifest.json    what it is, its format, what its kind says of itself, SHA-256 of the parts
    manifest.sha256  the manifest's own
    FOLDER/N.SUFFIX  the parts: arrays, models

Digests tell damage and careless edits, not an attacker. Against one stands that nothing in a file
names code.
"""

import hashlib
import json
import zipfile
from dataclasses import dataclass

from ae_multi.errors import InputError
from ae_multi.io import json as safe_json
from ae_multi.io import zip_archive
from ae_multi.io.atomic import atomic_write

_MANIFEST, _DIGEST = "manifest.json", "manifest.sha256"


@dataclass(frozen=True)
class ArchiveFormat:
    """A kind of file.

    Attributes:
        what: what such a file holds, for messages ("an estimator").
        format: the number of the newest format that this version writes and reads.
    """

    what: str
    format: int

    def write(self, path, manifest, parts):
        """Write one to ``path``, whole or not at all.

        Args:
            path: where.
            manifest: dict of values that JSON knows.
            parts: dict of the parts' names to bytes.
        """
        head = {
            "what": f"ae_multi {self.what.split()[-1]}",
            "format": self.format,
            **manifest,
            "parts": {part: _sha256(content) for part, content in parts.items()},
        }
        text = json.dumps(head, indent=1, allow_nan=False).encode()
        entries = {_MANIFEST: text, _DIGEST: _sha256(text).encode(), **parts}
        with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            for part, content in entries.items():
                archive.writestr(part, content)

    def read(self, path):
        """(manifest, parts) of the file ``path``, every byte of both as it was written.

        Raises:
            InputError: no such file, or one that is cut short, altered, of a newer format or of
                another kind.
        """
        # Stored as they are, parts take no more memory than the file has bytes.
        with zip_archive.opened(path, f"the file of {self.what}", stored=True) as archive:
            if not {_MANIFEST, _DIGEST} <= set(archive.names):
                raise InputError(
                    f"Expected {path} to be the file of {self.what}. Received: another zip archive."
                )
            parts = {name: archive.read(name) for name in archive.names}
        text = parts.pop(_MANIFEST)
        if _sha256(text).encode() != parts.pop(_DIGEST):
            raise _altered(path, _MANIFEST)
        manifest = safe_json.parse(text, f"the manifest of {path}")
        if not isinstance(manifest, dict):
            raise _altered(path, _MANIFEST)
        if manifest.get("what") != f"ae_multi {self.what.split()[-1]}":
            raise InputError(
                f"Expected {path} to be the file of {self.what}. "
                f"Received: one that says it is {manifest.get('what')!r:.80}."
            )
        written, stated = manifest.get("format"), manifest.get("parts", {})
        if type(written) is not int or written < 1 or not isinstance(stated, dict):
            raise _altered(path, _MANIFEST)
        if written > self.format:
            raise InputError(
                f"Expected a file of format {self.format} or older. Received: {path} of format "
                f"{written}, which a newer version of ae_multi wrote."
            )
        for name in sorted({*stated, *parts}):
            if name not in parts or stated.get(name) != _sha256(parts[name]):
                raise _altered(path, name)
        return manifest, parts


def _altered(path, part):
    return InputError(
        f"Expected {path} as it was written. Received: another {part} than its digest tells of; "
        "the file was altered or damaged."
    )


def _sha256(content):
    return hashlib.sha256(content).hexdigest()
