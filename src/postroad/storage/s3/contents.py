"""`storage.large` in S3, by way of files on this machine.

What comes in goes to a file first, as `FileContents` has it. What ``250`` then means is a choice:

- `Durable.LOCAL`: the file is synced before the commit, and brought to S3 after it. Until then it is on
  this machine alone, outlives a crash of it, and S3 may be away for as long as there is room.
- `Durable.S3`: the object is in S3 before the commit. While S3 is away large messages get 451.

A content is read from its file where that is here, else from S3. Rows of either kind of place, 'file'
and 'object', are served, so a store of files becomes one of objects by its configuration.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from postroad.model import ContentRef, Staged
from postroad.ports import StorageError, StorageFull
from postroad.storage.files import FileContents, FileWriter
from postroad.storage.large import ContentMissing, Known, Lookup
from postroad.storage.s3.bucket import Bucket
from postroad.storage.s3.mover import Mover

SWEEP_AGE_SECONDS = 86_400.0
"""Younger objects are left alone by the sweep: the commits that name them may be under way."""


class Durable(Enum):
    """What a large message waits for before it is acknowledged."""

    LOCAL = "local"
    S3 = "s3"


class S3Settings(Struct, frozen=True):
    """`uploads` is how many objects are put at once. `max_waiting_octets` is how much of what one
    process took in may wait for S3; then large messages are deferred. Every `sweep_seconds` (0:
    never) objects that nobody needs are looked for.
    """

    durable: Durable = Durable.LOCAL
    uploads: int = 4
    max_waiting_octets: int = 4 * 2**30
    sweep_seconds: float = 86_400.0


class S3Contents:
    """See `LargeContents`. `join` and `run` are for servers; commands read without."""

    def __init__(self, files: FileContents, bucket: Bucket, settings: S3Settings) -> None:
        self.files = files
        self.bucket = bucket
        self._settings = settings
        self.mover = Mover(files, bucket, uploads=settings.uploads)
        files.also = self.mover.removed
        self._owner = ""
        self._known: Known | None = None
        self._claimed = False

    def join(self, lookup: Lookup, owner: str, known: Known | None = None) -> None:
        """Say whose contents these are, how their rows are found, and which nobody may sweep: by
        default those that have rows.
        """
        self._owner = owner
        self.mover.lookup = lookup
        self._known = known

    def begin(self, content_id: int) -> "S3Writer":
        """See `LargeContents`."""
        if self.mover.waiting_octets > self._settings.max_waiting_octets:
            raise StorageFull(
                f"{self.mover.waiting_octets} octets wait here for {self.bucket.name}, more than "
                "content.max_waiting_octets. See that S3 answers."
            )
        return S3Writer(self, self.files.begin(content_id))

    async def read(self, ref: ContentRef, begins: int, offset: int, limit: int | None) -> bytes:
        """See `LargeContents`."""
        try:
            return await self.files.read(ref, begins, offset, limit)
        except ContentMissing:
            return await self.bucket.read(ref, offset, limit)

    def let_go(self, contents: Iterable[int]) -> None:
        """See `LargeContents`."""
        contents = tuple(contents)
        self.files.let_go(contents)
        self.mover.add(contents)

    def remove(self, contents: Iterable[int]) -> None:
        """See `LargeContents`."""
        self.files.remove(contents)

    async def sweep(self, known: Known) -> int:
        """See `LargeContents`: of the files. Objects are swept by `run`."""
        return await self.files.sweep(known)

    def close(self) -> None:
        """See `LargeContents`."""
        self.files.close()

    async def claim(self) -> None:
        """See that the objects are ours. Raises `StorageError`, `Claimed`."""
        if not self._claimed:
            await self.bucket.claim(self._owner)
            self._claimed = True

    async def run(self, *, first: bool) -> None:
        """Bring to S3 what waits, and remove there what nobody needs, until cancelled.

        Of several processes the `first` also looks for what others, or an earlier life, left behind.
        Raises `Claimed`.
        """
        await self.mover.until_done(self.claim)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.mover.run())
            if first:
                group.create_task(self.mover.watch())
                if self._settings.sweep_seconds:
                    group.create_task(self._sweep_objects())

    async def sweep_objects(self, age_seconds: float = SWEEP_AGE_SECONDS) -> int:
        """Remove objects so old that no row names; return how many. Raises `StorageError`."""
        edge, swept = time.time() - age_seconds, 0
        async for page in self.bucket.listed():
            old = [each.content for each in page if each.changed_at < edge]
            known = self._known or self._named
            named = await known(old) if old else set()
            unnamed = [each for each in old if each not in named]
            with self.files.keeping.removing() as may:
                if not may:
                    return swept  # a backup is made
            if unnamed:
                await self.bucket.remove(unnamed)
                swept += len(unnamed)
        return swept

    async def _named(self, contents: Sequence[int]) -> set[int]:
        return set(await self.mover.lookup(contents))

    async def _sweep_objects(self) -> None:
        while True:
            await self.mover.until_done(self.sweep_objects)
            await asyncio.sleep(self._settings.sweep_seconds)


class S3Writer:
    """See `LargeWriter`."""

    def __init__(self, contents: S3Contents, file: FileWriter) -> None:
        self._contents = contents
        self._file = file

    def write(self, chunk: bytes) -> None:
        """See `LargeWriter`."""
        self._file.write(chunk)

    async def finish(self, size: int, above: bytes) -> Staged:
        """See `LargeWriter`."""
        contents = self._contents
        staged = await self._file.finish(size, above)
        there = contents._settings.durable is Durable.S3
        if there:
            path = contents.files.path(staged.ref.id)
            try:
                await contents.claim()
                await contents.bucket.put(staged.ref, path, staged.begins, staged.digest)
            except (StorageError, OSError) as error:
                self._file.discard()
                if isinstance(error, StorageError):
                    raise
                raise StorageError(f"{path}: {error.strerror}") from error
        contents.mover.expect(staged.ref.id, size, there=there)
        return replace(staged, place="object")

    def discard(self) -> None:
        """See `LargeWriter`. What is in S3 already is swept."""
        self._file.discard()
