"""While a backup is made nothing is removed, on any node; afterwards it is."""

from pathlib import Path

from postroad.model import DeliveryState
from postroad.storage.postgres import PostgresStore
from postroad.storage.postgres.connection import Connection
from postroad.storage.postgres.keeping import keep_contents, kept
from tests.contracts.stores import BOB, FAR, accept, attempted, commit, result
from tests.postgres import a_database

LARGE = b"0123456789abcdef" * 1000


async def test_large_contents_stay_while_a_backup_is_made(tmp_path: Path) -> None:
    url = a_database()
    store = await PostgresStore.open(url, tmp_path, inline_max_octets=1000)
    connection = Connection(url, 5.0)
    ended = result(0, DeliveryState.BOUNCED)
    try:
        first, second = [await accept(store, FAR, data=LARGE) for _ in range(2)]
        content = store.large.path  # type: ignore[attr-defined]
        with keep_contents(connection):
            assert kept(connection)
            await commit(store, attempted(first, ended))
            assert await store.content.known([first.content.id, 5]) == {first.content.id, 5}
        assert not kept(connection)
        await commit(store, attempted(second, ended))
        await accept(store, BOB)  # what goes with a commit is removed before the next
        assert content(first.content.id).exists()
        assert not content(second.content.id).exists()
        assert await store.content.known([first.content.id]) == set()
    finally:
        connection.close()
        await store.close()
