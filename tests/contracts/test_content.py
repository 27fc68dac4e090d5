"""Contents: staged, read in pieces, swept."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from peers.moto_server import Moto
from postroad.model import Accepted, AccountRemoved, ContentRef, Expunged
from postroad.ports import StorageError
from tests.contracts.objects import BUCKET, S3_PLACES, Objects
from tests.contracts.stores import (
    ANN,
    FAR,
    INBOX,
    INLINE_MAX,
    PLACES,
    Place,
    Store,
    accept,
    attempted,
    commit,
    deliveries_of,
    deposited,
    message_of,
    number,
    people,
    readable,
    result,
    stage,
)


@pytest.fixture(scope="module")
def moto() -> Iterator[Moto]:
    with Moto() as server:
        server.make_bucket(BUCKET)
        yield server


@pytest.fixture(params=[*PLACES, *S3_PLACES])
def place(request: pytest.FixtureRequest, tmp_path: Path, moto: Moto) -> Place:
    if request.param in PLACES:
        return PLACES[request.param](tmp_path / "data")
    return S3_PLACES[request.param](tmp_path / "data", Objects(moto))


SIZES = [0, 1, INLINE_MAX, INLINE_MAX + 1, 300_000]


def bytes_of(size: int) -> bytes:
    return (b"0123456789abcdef\r\n\x00\xff" * (size // 20 + 1))[:size]


@pytest.mark.parametrize("size", SIZES)
async def test_what_was_stored_is_read_byte_for_byte(place: Place, size: int) -> None:
    data = bytes_of(size)
    async with place.open() as store:
        message = await accept(store, FAR, data=data)
        await _read_in_pieces(store, message.content, data)
        if not place.durable:
            return
    async with place.open() as store:
        await _read_in_pieces(store, message.content, data)


async def _read_in_pieces(store: Store, ref: ContentRef, data: bytes) -> None:
    assert ref.size == len(data)
    assert await store.content.read(ref) == data
    assert await store.content.read(ref, len(data)) == b""
    assert await store.content.read(ref, len(data) + 10, 5) == b""
    assert await store.content.read(ref, 0, 0) == b""
    pieces, offset = [], 0
    while piece := await store.content.read(ref, offset, 65_537):
        pieces.append(piece)
        offset += len(piece)
    assert b"".join(pieces) == data
    assert await store.content.read(ref, 3, 7) == data[3:10]


@pytest.mark.parametrize("size", SIZES)
async def test_where_the_content_goes(store: Store, size: int) -> None:
    staged = await stage(store, bytes_of(size))
    assert staged.ref.size == size
    assert (staged.data is None) == (size > INLINE_MAX)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(chunks=st.lists(st.binary(max_size=700), max_size=8))
async def test_any_split_gives_the_same_content(store: Store, chunks: list[bytes]) -> None:
    writer = store.content.stage(number())
    for chunk in chunks:
        writer.write(chunk)
    staged = await writer.finish()
    message = message_of(staged.ref, FAR)
    await commit(store, Accepted(1.0, message, deliveries_of(message)), contents=[staged])
    assert await store.content.read(staged.ref) == b"".join(chunks)


@pytest.mark.parametrize("size", SIZES)
async def test_what_comes_last_may_stand_above(store: Store, size: int) -> None:
    writer = store.content.stage(number())
    writer.write(bytes_of(size))
    staged = await writer.finish(b"Above: it all\r\n")
    message = message_of(staged.ref, FAR)
    await commit(store, Accepted(1.0, message, deliveries_of(message)), contents=[staged])
    whole = b"Above: it all\r\n" + bytes_of(size)
    assert staged.ref.size == len(whole)
    assert await store.content.read(staged.ref) == whole
    assert await store.content.read(staged.ref, 5, 20) == whole[5:25]
    assert await store.content.read(staged.ref, len(whole)) == b""


@pytest.mark.parametrize("size", SIZES)
async def test_discard(store: Store, size: int) -> None:
    content_id = number()
    writer = store.content.stage(content_id)
    writer.write(bytes_of(size))
    writer.discard()
    writer.discard()
    with pytest.raises(StorageError):
        writer.write(b"x")
    with pytest.raises(StorageError):
        await writer.finish()
    writer = store.content.stage(content_id)
    writer.write(bytes_of(size))
    await writer.finish()
    writer.discard()
    await stage(store, bytes_of(size), content_id=content_id)


async def test_a_content_is_gone_with_what_needs_it(place: Place) -> None:
    if not place.durable:
        pytest.skip("reads after the sweep need a store that is opened again")
    for size in SIZES:
        async with place.open() as store:
            if await store.directory.domain("example.org") is None:
                await people(store)
            swept = await accept(store, FAR, data=bytes_of(size))
            kept = await accept(store, ANN, FAR, data=bytes_of(size))
            await commit(store, attempted(swept, result()))
            await commit(store, attempted(kept, result(0), result(1)), deposited(kept))
        async with place.open() as store:
            with pytest.raises(StorageError, match="gone"):
                await store.content.read(swept.content)
            assert await store.content.read(kept.content) == bytes_of(size)


async def test_an_unknown_content_is_an_error(store: Store) -> None:
    with pytest.raises(StorageError, match="gone"):
        await store.content.read(ContentRef(number(), 10))


async def test_what_its_owner_deletes_stays_for_those_who_wait_for_it(store: Store) -> None:
    """By POP3, or with the account: the copy for somebody elsewhere is still to be sent."""
    await people(store)
    for change in (Expunged(1.0, INBOX, (1,)), AccountRemoved(1.0, 7)):
        message = await accept(store, ANN, FAR, data=bytes_of(INLINE_MAX * 3))
        await commit(store, attempted(message, result(0)), deposited(message))
        await commit(store, change)
        assert await readable(store, message)
        await commit(store, attempted(message, result(1)))
        assert not await readable(store, message)
