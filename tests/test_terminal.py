"""Text for terminals with any encoding."""

import io

import pytest

from ae_multi.terminal import ERRORS, encodable

ENCODINGS = ("ascii", "cp1252", "latin-1", "utf-8")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_unencodable_characters_become_ascii(encoding):
    text = "8×8 ≤ 1e-5 └─┃ σ … μ"
    shown = encodable(text, io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    expected = {
        "ascii": "8x8 <= 1e-5 +-| sigma ... mu",
        "cp1252": "8×8 <= 1e-5 +-| sigma … mu",
        "latin-1": "8×8 <= 1e-5 +-| sigma ... mu",
        "utf-8": text,
    }[encoding].replace("8x8", "8×8" if encoding == "latin-1" else "8x8")
    assert shown == expected


def test_unknown_letters_and_undecodable_bytes_are_escaped():
    assert "größe漢\udcff".encode("ascii", ERRORS) == rb"gr\xf6\xdfe\u6f22\udcff"
    assert "\udcff".encode("utf-8", ERRORS) == rb"\udcff"
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("ascii", ERRORS)
