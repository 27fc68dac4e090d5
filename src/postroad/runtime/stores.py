"""Opens the store that the configuration names: SQLite in the data directory, or PostgreSQL."""

from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from postroad.ports import StorageError
from postroad.runtime.config import Config
from postroad.runtime.large import make_large
from postroad.storage.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from postroad.storage.postgres.store import PostgresStore

Store: TypeAlias = "SqliteStore | PostgresStore"


async def open_store(config: Config, *, serving: bool = False) -> Store:
    """Open the store of `config`, made where it is missing; `serving`: for a server, with all that makes
    it fast. Raises `StorageError`.
    """
    storage, data_dir = config.storage, config.server.data_dir
    large = partial(make_large, config)
    if not storage.url:
        return await SqliteStore.open(
            data_dir,
            inline_max_octets=storage.inline_max_octets,
            cache_max_octets=storage.cache_max_octets,
            busy_timeout_seconds=storage.busy_timeout_seconds,
            large=large,
            writer_process=serving and storage.writer_process and config.server.workers == 1,
        )
    try:
        from postroad.storage.postgres.store import PostgresStore
    except ImportError as error:
        raise StorageError(
            f"storage.url names a PostgreSQL database, which needs more packages ({error}). Install "
            "them: pip install 'postroad[postgres]'"
        ) from error
    return await PostgresStore.open(
        storage.url,
        data_dir,
        inline_max_octets=storage.inline_max_octets,
        cache_max_octets=storage.cache_max_octets,
        retry_seconds=storage.retry_seconds,
        large=large,
    )
