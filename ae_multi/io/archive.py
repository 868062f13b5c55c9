"""The archive format of this package: one file without pickle, written atomically.

A file is an uncompressed zip archive:

    manifest.json    type of the file, format number, metadata, SHA-256 digests of the parts
    manifest.sha256  digest of the manifest
    FOLDER/N.SUFFIX  the parts: arrays, models

The digests detect damage and accidental edits, not an attacker. Loading is safe against an
attacker because nothing in a file names code.
"""

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ae_multi.errors import InputError
from ae_multi.io import json as safe_json
from ae_multi.io import zip_archive
from ae_multi.io.atomic import atomic_write

_MANIFEST, _DIGEST = "manifest.json", "manifest.sha256"


@dataclass(frozen=True)
class ArchiveFormat:
    """Writer and reader of one type of archive.

    Attributes:
        what: content of such a file, for error messages ("an estimator").
        format: number of the newest format, which this version writes.
    """

    what: str
    format: int

    def write(
        self,
        path: os.PathLike[str] | str,
        manifest: Mapping[str, Any],
        parts: Mapping[str, bytes],
    ) -> None:
        """Write a file to ``path`` atomically.

        Args:
            path: path of the file.
            manifest: dict of JSON values.
            parts: dict of part names to bytes.
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

    def read(self, path: os.PathLike[str] | str) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Return (manifest, parts) of the file ``path``, after their digests are verified.

        Raises:
            InputError: there is no such file, or it is cut short, altered, of a newer format or
                of another type.
        """
        # Without compression, the parts need no more memory than the size of the file.
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
        format_number, digests = manifest.get("format"), manifest.get("parts", {})
        if type(format_number) is not int or format_number < 1 or not isinstance(digests, dict):
            raise _altered(path, _MANIFEST)
        if format_number > self.format:
            raise InputError(
                f"Expected a file of format {self.format} or older. Received: {path} of format "
                f"{format_number}, which a newer version of ae_multi wrote."
            )
        for name in sorted({*digests, *parts}):
            if name not in parts or digests.get(name) != _sha256(parts[name]):
                raise _altered(path, name)
        return manifest, parts


def _altered(path, part):
    return InputError(f"Expected {path} as it was written. Received: an altered or damaged {part}.")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
