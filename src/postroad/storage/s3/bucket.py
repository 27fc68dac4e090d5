"""One bucket: put, read, remove and list objects, each with a time limit and tried again by itself.

An object is a content, under ``<prefix>content/<last two letters>/<id>``. It is put only where there is
none (a conditional put); S3 checks each request by SHA-256. Objects over `part_octets` go in parts, so
that no more than a few parts are in memory. All failures are `StorageError`s that say what to do.
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from postroad.model import ContentRef, InvalidId, format_id, parse_id
from postroad.ports import StorageError
from postroad.storage.large import ContentMissing

if TYPE_CHECKING:
    from obstore.store import S3Store

MARK = "owner.json"
LIST_PAGE = 1000
_PARTS_AT_ONCE = 2


class ObstoreMissing(Exception):
    """The extra is not installed."""

    def __init__(self) -> None:
        super().__init__("contents in S3 need obstore: pip install 'postroad[s3]'")


class BucketSettings(Struct, frozen=True):
    """Where the bucket is, who we are there, and how long things may take.

    `endpoint` is a URL, or ``""`` for AWS; without `access_key_id` the environment or the machine's role
    says who we are. `retry_seconds` is how long a request is tried again; `part_octets` is how large
    one part is.
    """

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = "us-east-1"
    access_key_id: str = ""
    secret_access_key: str = ""
    timeout_seconds: float = 30.0
    connect_seconds: float = 5.0
    retries: int = 3
    retry_seconds: float = 20.0
    part_octets: int = 8 * 1024 * 1024


class Listed(Struct, frozen=True):
    """An object as a listing shows it; `changed_at` is in seconds since 1970."""

    content: int
    size: int
    changed_at: float


class Mark(Struct, frozen=True):
    """Whose objects these are, so that no two stores sweep each other's."""

    owner: str


class Bucket:
    """An open bucket. Raises `ObstoreMissing`, or `StorageError` for settings that make no sense."""

    def __init__(self, settings: BucketSettings) -> None:
        try:
            import obstore
            from obstore import exceptions
        except ImportError:
            raise ObstoreMissing from None
        self._obstore = obstore
        self._exceptions = exceptions
        self._settings = settings
        self._failures = (exceptions.BaseError, OSError, ValueError)
        self._store = _open(settings)
        self.name = f"{settings.endpoint or 's3:/'}/{settings.bucket}/{settings.prefix}"

    def key(self, content_id: int) -> str:
        """Return the name of a content's object, without the prefix."""
        name = format_id(content_id)
        return f"content/{name[-2:].lower()}/{name}"

    async def put(self, ref: ContentRef, path: Path, begins: int, digest: bytes | None) -> None:
        """Put the content that is in a file from `begins` on; done already is done. Raises
        `StorageError`, and `FileNotFoundError` where the file is gone.
        """
        attributes = {"Content-Type": "message/rfc822"}
        if digest is not None:
            attributes["sha256"] = digest.hex()
        file = await asyncio.to_thread(os.open, path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            there = os.fstat(file).st_size - begins
            if there != ref.size:
                raise ValueError(f"the file has {there} octets of {ref.size}")
            if ref.size <= self._settings.part_octets:
                data = await asyncio.to_thread(os.pread, file, ref.size, begins)
                _see_digest(hashlib.sha256(data), digest)
                await self._put_whole(ref, data, attributes)
            elif await self._size(ref.id) is None:
                pieces = self._pieces(file, begins, digest)
                await self._put_in_parts(ref, pieces, attributes)
            else:
                await self._see_same(ref)
        except self._failures as error:
            raise self._failed(f"content {format_id(ref.id)} cannot be put", error) from error
        finally:
            os.close(file)

    async def read(self, ref: ContentRef, offset: int, limit: int | None) -> bytes:
        """Return the octets from `offset`, at most `limit`. Raises `StorageError`, `ContentMissing`."""
        end = ref.size if limit is None else min(ref.size, offset + limit)
        if offset >= end:
            return b""
        try:
            result = await self._obstore.get_async(
                self._store, self.key(ref.id), options={"range": (offset, end)}
            )
            size = result.meta["size"]
            if size == ref.size:
                return bytes(await result.bytes_async())
        except FileNotFoundError as error:
            raise ContentMissing(
                f"content {format_id(ref.id)} is not in {self.name}. If another machine has it on its "
                "way there, it comes; else restore it from a backup."
            ) from error
        except self._failures as error:
            raise self._failed(f"content {format_id(ref.id)} cannot be read", error) from error
        raise StorageError(
            f"content {format_id(ref.id)} has {size} octets of {ref.size} in {self.name}. "
            "It is damaged."
        )

    async def remove(self, contents: Sequence[int]) -> None:
        """Remove objects; those that are not there are left alone. Raises `StorageError`."""
        try:
            await self._obstore.delete_async(self._store, [self.key(each) for each in contents])
        except FileNotFoundError:
            return  # a single one, where there is no bulk request
        except self._failures as error:
            raise self._failed("objects cannot be removed", error) from error

    async def listed(self) -> AsyncIterator[list[Listed]]:
        """Yield all contents in the bucket, page by page. Raises `StorageError`."""
        stream = self._obstore.list(self._store, "content", chunk_size=LIST_PAGE)
        try:
            async for page in stream:
                yield list(_contents(page))
        except self._failures as error:
            raise self._failed("the objects cannot be listed", error) from error

    async def claim(self, owner: str) -> None:
        """Make these objects ours for good; no other store may have them.

        Raises `StorageError` where S3 fails, `Claimed` where they are another's.
        """
        mark = msgspec.json.encode(Mark(owner))
        try:
            try:
                await self._obstore.put_async(self._store, MARK, mark, mode="create")
            except self._exceptions.AlreadyExistsError:
                found = await self._obstore.get_async(self._store, MARK)
                mark = bytes(await found.bytes_async())
        except self._failures as error:
            raise self._failed("the bucket cannot be used", error) from error
        try:
            other = msgspec.json.decode(mark, type=Mark).owner
        except msgspec.MsgspecError as error:
            raise Claimed(f"{self.name}{MARK} was not written by Postroad: {error}") from error
        if other != owner:
            raise Claimed(
                f"{self.name} has the contents of another store ({other}; this is {owner}), and each "
                f"would remove the other's. Set another content.prefix, or remove {MARK} there if that "
                "store is gone for good."
            )

    async def _put_whole(self, ref: ContentRef, data: bytes, attributes: dict[str, str]) -> None:
        try:
            await self._obstore.put_async(
                self._store,
                self.key(ref.id),
                data,
                attributes=attributes,
                mode="create",
            )
        except self._exceptions.AlreadyExistsError:
            await self._see_same(ref)

    async def _pieces(self, file: int, begins: int, digest: bytes | None) -> AsyncIterator[bytes]:
        """Yield a file part by part; where the hash is another one the upload fails at its end."""
        found, offset = hashlib.sha256(), begins
        while piece := await asyncio.to_thread(os.pread, file, self._settings.part_octets, offset):
            found.update(piece)
            yield piece
            offset += len(piece)
        _see_digest(found, digest)

    async def _put_in_parts(
        self, ref: ContentRef, pieces: AsyncIterator[bytes], attributes: dict[str, str]
    ) -> None:
        await self._obstore.put_async(
            self._store,
            self.key(ref.id),
            pieces,
            attributes=attributes,
            use_multipart=True,
            chunk_size=self._settings.part_octets,
            max_concurrency=_PARTS_AT_ONCE,
        )
        await self._see_same(ref)

    async def _see_same(self, ref: ContentRef) -> None:
        size = await self._size(ref.id)
        if size != ref.size:
            raise ValueError(f"there is an object of that name with {size} octets of {ref.size}")

    async def _size(self, content_id: int) -> int | None:
        try:
            meta = await self._obstore.head_async(self._store, self.key(content_id))
        except FileNotFoundError:
            return None
        return meta["size"]

    def _failed(self, what: str, error: BaseException) -> StorageError:
        if isinstance(error, StorageError):
            return error
        exceptions = self._exceptions
        mend = "It is tried again; see that S3 answers"
        if isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError):
            mend = "Check content.access_key_id, its secret, and the policy of the bucket"
        elif isinstance(error, FileNotFoundError):
            mend = "Make the bucket, or mend content.bucket"
        elif isinstance(error, ValueError):
            mend = "Nothing was changed: compare the two"
        # What obstore writes for its developers comes behind what it writes for others.
        reason = " ".join(str(error).partition("Debug source")[0].split())[:300].rstrip(" .:")
        return StorageError(f"{self.name}: {what}: {reason}. {mend}.")


class Claimed(StorageError):
    """The objects belong to another store."""


def _open(settings: BucketSettings) -> "S3Store":
    from obstore.store import S3Store

    config: dict[str, Any] = {
        "region": settings.region,
        "checksum_algorithm": "SHA256",
        "conditional_put": "etag",
    }
    if settings.endpoint:
        config["endpoint"] = settings.endpoint
    if settings.access_key_id:
        config["access_key_id"] = settings.access_key_id
        config["secret_access_key"] = settings.secret_access_key
    try:
        return S3Store(
            settings.bucket,
            prefix=settings.prefix.rstrip("/") or None,
            config=config,  # type: ignore[arg-type] # a TypedDict of all that there is
            client_options={
                "timeout": timedelta(seconds=settings.timeout_seconds),
                "connect_timeout": timedelta(seconds=settings.connect_seconds),
                "allow_http": settings.endpoint.startswith("http:"),
            },
            retry_config={
                "max_retries": settings.retries,
                "retry_timeout": timedelta(seconds=settings.retry_seconds),
            },
        )
    except Exception as error:  # what obstore raises for settings has no common class
        raise StorageError(f"content.bucket {settings.bucket!r}: {error}") from error


def _see_digest(found: "hashlib._Hash", digest: bytes | None) -> None:
    if digest is not None and found.digest() != digest:
        raise ValueError("the SHA-256 of the file is not that of what was stored")


def _contents(page: Iterable[Any]) -> Iterable[Listed]:
    for each in page:
        try:
            content = parse_id(each["path"].rpartition("/")[2])
        except InvalidId:
            continue  # not ours
        yield Listed(content, each["size"], each["last_modified"].timestamp())
