"""Stores whose large contents are in S3, for the contract suite of contents."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from peers.moto_server import Moto
from peers.seaweed import KEY_ID, SECRET, Seaweed, client
from postroad.storage.files import FileContents
from postroad.storage.s3.bucket import Bucket, BucketSettings
from postroad.storage.s3.contents import Durable, S3Contents, S3Settings
from postroad.storage.sqlite.store import SqliteStore
from tests.contracts.stores import INLINE_MAX, Place, Store

BUCKET = "mail"
PART_OCTETS = 5 * 1024 * 1024
_prefixes = itertools.count(1)


class Objects:
    """One prefix of a bucket, as ours and as a client of another make sees it."""

    def __init__(self, server: Moto | Seaweed) -> None:
        self.server = server
        self.prefix = f"test-{next(_prefixes)}/"

    def settings(self) -> BucketSettings:
        return BucketSettings(
            BUCKET,
            self.prefix,
            self.server.endpoint,
            access_key_id=KEY_ID,
            secret_access_key=SECRET,
            timeout_seconds=10.0,
            retries=1,
            retry_seconds=1.0,
            part_octets=PART_OCTETS,
        )

    def there(self) -> dict[str, int]:
        """Names of the contents there, and their sizes."""
        found = client(self.server.endpoint, KEY_ID, SECRET).list_objects_v2(
            Bucket=BUCKET, Prefix=f"{self.prefix}content/"
        )
        return {each["Key"].rpartition("/")[2]: each["Size"] for each in found.get("Contents", ())}

    def large(self, data_dir: Path, durable: Durable) -> S3Contents:
        settings = S3Settings(durable, sweep_seconds=0)
        return S3Contents(FileContents(data_dir), Bucket(self.settings()), settings)


class S3Place(Place):
    """SQLite with its large contents in S3; what brings them there runs."""

    durable_in = Durable.LOCAL

    def __init__(self, path: Path, objects: Objects) -> None:
        super().__init__(path)
        self.objects = objects

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Store]:
        store = await self._open()
        assert isinstance(store.large, S3Contents)
        moving = asyncio.create_task(store.large.run(first=True))
        try:
            yield store
        finally:
            moving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await moving
            await store.close()

    async def _open(self) -> SqliteStore:
        store = await SqliteStore.open(
            self.path,
            inline_max_octets=INLINE_MAX,
            cache_max_octets=0,
            large=lambda path: self.objects.large(path, self.durable_in),
        )
        assert isinstance(store.large, S3Contents)
        store.large.join(store.content.stored, store.node)
        return store


class DirectS3Place(S3Place):
    """The same, with objects in S3 before the commit."""

    durable_in = Durable.S3


S3_PLACES = {"s3-local": S3Place, "s3-direct": DirectS3Place}
