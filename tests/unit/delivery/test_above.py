"""Contents with something on top, read in pieces of any size."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.delivery.above import ContentAbove
from postroad.model import ContentRef
from postroad.ports import StorageError

REF = ContentRef(7, 10, plain=True)
DATA = b"0123456789"


class Inner:
    def __init__(self) -> None:
        self.staged: list[int] = []

    def stage(self, content_id: int) -> Any:
        self.staged.append(content_id)

    async def read(self, ref: ContentRef, offset: int = 0, limit: int | None = None) -> bytes:
        assert ref is REF
        return DATA[offset:] if limit is None else DATA[offset : offset + limit]


@given(st.binary(min_size=1, max_size=12), st.integers(0, 25), st.integers(1, 25))
async def test_any_piece(above: bytes, offset: int, limit: int) -> None:
    contents = ContentAbove(Inner())
    ref = contents.put(REF, above)
    whole = above + DATA
    assert (ref.size, ref.plain) == (len(whole), True)
    assert await contents.read(ref, offset, limit) == whole[offset : offset + limit]
    assert await contents.read(ref, offset) == whole[offset:]
    contents.drop(ref)
    contents.drop(ref)
    with pytest.raises(StorageError, match="is over"):
        await contents.read(ref)


async def test_others_go_straight_through() -> None:
    inner = Inner()
    contents = ContentAbove(inner)
    assert await contents.read(REF, 3, 2) == b"34"
    contents.stage(9)
    assert inner.staged == [9]
    assert contents.put(REF, b"a").id != contents.put(REF, b"b").id
