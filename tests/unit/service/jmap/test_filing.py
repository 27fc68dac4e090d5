"""Messages that are filed have the line ends that all others have."""

import pytest

from postroad.service.jmap.filing import _lines_end_well


@pytest.mark.parametrize(
    ("pieces", "sound"),
    [
        ([b"a\r\n", b"b\r\n"], True),
        ([b"a\r", b"\nb"], True),
        ([b"a\r", b"b"], False),
        ([b"a\n"], False),
        ([b"a", b"\nb"], False),
        ([b"a\r"], False),
        ([b"\r\n\r", b"\n"], True),
        ([b"\r\n", b"\n"], False),
        ([b""], True),
    ],
    ids=str,
)
def test_line_ends_across_pieces(pieces: list[bytes], sound: bool) -> None:
    before, fine = b"", True
    for number, piece in enumerate(pieces, 1):
        fine = fine and _lines_end_well(before + piece, number == len(pieces))
        before = b"\r" if piece.endswith(b"\r") else b""
    assert fine is sound
