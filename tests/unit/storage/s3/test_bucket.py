"""Objects: put where there is none, in parts where large, and errors that say what to do."""

import hashlib
import os
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from peers.seaweed import KEY_ID, SECRET, client
from peers.tools import free_port
from postroad.model import ContentRef, format_id
from postroad.ports import StorageError
from postroad.storage.large import ContentMissing
from postroad.storage.s3.bucket import MARK, Bucket, Claimed
from tests.contracts.objects import BUCKET, PART_OCTETS, Objects

SMALL = b"0123456789abcde\n" * 100


def written(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "content"
    path.write_bytes(b"hole" + data)
    return path


@pytest.mark.parametrize("size", [1, 1600, PART_OCTETS, PART_OCTETS + 1, 2 * PART_OCTETS + 777])
async def test_what_is_put_is_read(objects: Objects, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    path, ref = written(tmp_path, data), ContentRef(7, size)
    bucket = Bucket(objects.settings())
    digest = hashlib.sha256(data).digest()
    await bucket.put(ref, path, 4, digest)
    await bucket.put(ref, path, 4, digest)
    assert objects.there() == {format_id(7): size}
    assert await bucket.read(ref, 0, None) == data
    assert await bucket.read(ref, size // 2, 100) == data[size // 2 :][:100]
    assert await bucket.read(ref, size, 100) == b""
    other = client(objects.server.endpoint, KEY_ID, SECRET)
    head = other.head_object(Bucket=BUCKET, Key=objects.prefix + bucket.key(7))
    assert head["Metadata"] == {"sha256": digest.hex()}
    assert ("-" in head["ETag"]) == (size > PART_OCTETS), "in parts"


@pytest.mark.parametrize("size", [1600, PART_OCTETS + 1])
async def test_another_object_of_that_name_is_not_overwritten(
    objects: Objects, tmp_path: Path, size: int
) -> None:
    bucket = Bucket(objects.settings())
    await bucket.put(ContentRef(7, 5), written(tmp_path, b"first"), 4, None)
    with pytest.raises(StorageError, match=rf"5 octets of {size}.*compare"):
        await bucket.put(ContentRef(7, size), written(tmp_path, bytes(size)), 4, None)
    assert await bucket.read(ContentRef(7, 5), 0, None) == b"first"


@pytest.mark.parametrize("size", [1600, PART_OCTETS + 1600])
async def test_a_file_that_is_cut_is_not_put(objects: Objects, tmp_path: Path, size: int) -> None:
    bucket = Bucket(objects.settings())
    path = written(tmp_path, bytes(size - 1))
    with pytest.raises(StorageError, match="octets of"):
        await bucket.put(ContentRef(7, size), path, 4, None)
    assert objects.there() == {}


@pytest.mark.parametrize("size", [1600, PART_OCTETS + 1600])
async def test_a_file_that_changed_is_not_put(objects: Objects, tmp_path: Path, size: int) -> None:
    bucket = Bucket(objects.settings())
    path = written(tmp_path, bytes(size))
    with pytest.raises(StorageError, match="SHA-256"):
        await bucket.put(ContentRef(7, size), path, 4, hashlib.sha256(b"other").digest())
    assert objects.there() == {}


async def test_what_is_not_as_it_was(objects: Objects, tmp_path: Path) -> None:
    bucket = Bucket(objects.settings())
    with pytest.raises(ContentMissing, match=f"{format_id(7)} is not in .*backup"):
        await bucket.read(ContentRef(7, 5), 0, None)
    await bucket.put(ContentRef(7, 5), written(tmp_path, b"first"), 4, None)
    with pytest.raises(StorageError, match=r"5 octets of 9 .*damaged"):
        await bucket.read(ContentRef(7, 9), 0, 4)
    with pytest.raises(FileNotFoundError):
        await bucket.put(ContentRef(8, 5), tmp_path / "none", 0, None)


async def test_removed_and_listed(objects: Objects, tmp_path: Path) -> None:
    bucket = Bucket(objects.settings())
    for number in (7, 8, 9):
        await bucket.put(ContentRef(number, 1600), written(tmp_path, SMALL), 4, None)
    other = client(objects.server.endpoint, KEY_ID, SECRET)
    other.put_object(Bucket=BUCKET, Key=f"{objects.prefix}content/xx/stranger", Body=b"x")
    found = [each for page in [page async for page in bucket.listed()] for each in page]
    assert [(each.content, each.size) for each in found] == [(7, 1600), (8, 1600), (9, 1600)]
    assert all(abs(each.changed_at - time.time()) < 60 for each in found)
    await bucket.remove([7, 9, 10])
    await bucket.remove([11])
    assert objects.there().keys() == {format_id(8), "stranger"}


async def test_one_store_to_a_prefix(objects: Objects) -> None:
    bucket = Bucket(objects.settings())
    await bucket.claim("node-one")
    await bucket.claim("node-one")
    with pytest.raises(Claimed, match=r"another store \(node-one; this is node-two\).*prefix"):
        await bucket.claim("node-two")
    other = client(objects.server.endpoint, KEY_ID, SECRET)
    other.put_object(Bucket=BUCKET, Key=objects.prefix + MARK, Body=b"?")
    with pytest.raises(Claimed, match="not written by Postroad"):
        await bucket.claim("node-one")


async def test_who_does_not_answer(objects: Objects, tmp_path: Path) -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    bucket = Bucket(replace(objects.settings(), endpoint=gone))
    began = time.monotonic()
    path = written(tmp_path, SMALL)
    for what in (
        bucket.put(ContentRef(7, 1600), path, 4, None),
        bucket.read(ContentRef(7, 1600), 0, None),
        bucket.remove([7]),
        bucket.claim("node"),
    ):
        with pytest.raises(StorageError, match="see that S3 answers") as caught:
            await what
        assert "Debug" not in str(caught.value)
    with pytest.raises(StorageError, match="see that S3 answers"):
        async for _ in bucket.listed():
            pass
    assert time.monotonic() - began < 20


async def test_a_bucket_that_is_not_there(objects: Objects, tmp_path: Path) -> None:
    bucket = Bucket(replace(objects.settings(), bucket="none"))
    with pytest.raises(StorageError, match=r"content\.bucket"):
        await bucket.put(ContentRef(7, 1600), written(tmp_path, SMALL), 4, None)
