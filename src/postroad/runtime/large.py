"""Where large contents are, by the configuration: in files, or in S3."""

from pathlib import Path
from typing import TYPE_CHECKING

from postroad.runtime.config import Config
from postroad.runtime.config.content import ContentPlace, DurableIn
from postroad.storage.files import FileContents
from postroad.storage.large import LargeContents

if TYPE_CHECKING:
    from postroad.runtime.stores import Store


def make_large(config: Config, data_dir: Path) -> LargeContents:
    """Return the place of large contents. Raises `OSError`, `StorageError`."""
    section = config.content
    if section.place is ContentPlace.FILE:
        return FileContents(data_dir)
    # Only here: most have no use for it, and it takes a while to load.
    from postroad.storage.s3.bucket import Bucket, BucketSettings
    from postroad.storage.s3.contents import Durable, S3Contents, S3Settings

    bucket = Bucket(
        BucketSettings(
            bucket=section.bucket,
            prefix=section.prefix,
            endpoint=section.endpoint,
            region=section.region,
            access_key_id=section.access_key_id,
            secret_access_key=section.secret_access_key,
            timeout_seconds=section.timeout_seconds,
            connect_seconds=section.connect_seconds,
            retries=section.retries,
            retry_seconds=section.retry_seconds,
            part_octets=section.part_octets,
        )
    )
    settings = S3Settings(
        durable=Durable.LOCAL if section.durable is DurableIn.LOCAL else Durable.S3,
        uploads=section.uploads,
        max_waiting_octets=section.max_waiting_octets,
        sweep_seconds=section.sweep_seconds,
    )
    return S3Contents(FileContents(data_dir), bucket, settings)


def join_large(store: "Store") -> None:
    """Tell the place of large contents of the store that they belong to."""
    if isinstance(store.large, FileContents):
        return
    from postroad.storage.s3.contents import S3Contents

    if isinstance(store.large, S3Contents):
        store.large.join(store.content.stored, store.owner, store.content.known)


async def run_large(store: "Store", *, first: bool) -> None:
    """Do what is to be done beside the mail where contents are in S3."""
    from postroad.storage.s3.contents import S3Contents

    assert isinstance(store.large, S3Contents), "asked for only then"
    await store.large.run(first=first)
